namespace PgBackup.Backup;

/// <summary>
/// Looks after the session while files are copied: the server gives the backup up when it ends, and hours of copying would be for nothing. The questions also keep
/// firewalls from forgetting the connection.
/// </summary>
internal static class SessionWatch
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(2);

    /// <summary>Runs the work; stops it when the session fails, and throws the session's failure then.</summary>
    public static async Task RunAsync(BackupSession session, Func<CancellationToken, Task> work, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task watch = WatchAsync(session, stop);
        try
        {
            await work(stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (watch.IsFaulted)
        {
            await watch.ConfigureAwait(false);
            throw;
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await watch.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task WatchAsync(BackupSession session, CancellationTokenSource stop)
    {
        try
        {
            while (true)
            {
                await Task.Delay(s_pause, stop.Token).ConfigureAwait(false);
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
