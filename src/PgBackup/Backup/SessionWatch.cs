namespace PgBackup.Backup;

/// <summary>
/// Looks after the session while files are copied: the server gives the backup up when it ends, and hours of copying would be for nothing. The questions also keep
/// firewalls from forgetting the connection.
/// </summary>
internal static class SessionWatch
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_lastWord = TimeSpan.FromSeconds(5);

    /// <summary>Runs the work; stops it when the session fails, and throws the session's failure then.</summary>
    public static async Task RunAsync(BackupSession session, Func<CancellationToken, Task> work, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task watch = WatchAsync(session, stop, stop.Token);
        bool isDone = false;
        try
        {
            await work(stop.Token).ConfigureAwait(false);
            isDone = true;
        }
        catch (OperationCanceledException) when (watch.IsFaulted)
        {
            await watch.ConfigureAwait(false);
            throw;
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            // After a failure not for long: a question to a server that has gone silent is answered by the network's time limit, a quarter of an hour later.
            await Task.WhenAny(watch, Task.Delay(isDone ? Timeout.InfiniteTimeSpan : s_lastWord, CancellationToken.None)).ConfigureAwait(false);
        }
    }

    private static async Task WatchAsync(BackupSession session, CancellationTokenSource stop, CancellationToken stopped)
    {
        try
        {
            while (true)
            {
                await Task.Delay(s_pause, stopped).ConfigureAwait(false);
                await session.WalEndAsync(CancellationToken.None).ConfigureAwait(false);
            }
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            _ = Task.Run(stop.CancelAsync, CancellationToken.None);
            throw;
        }
    }
}
