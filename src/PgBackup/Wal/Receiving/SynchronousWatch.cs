using PgBackup.Errors;
using PgBackup.Postgres.Replication;

namespace PgBackup.Wal.Receiving;

/// <summary>
/// Asks the server from time to time whether commits may wait for this receiver. By a replication connection of its own: that one needs no right and no line in pg_hba.conf
/// that the stream does not need.
/// </summary>
internal static class SynchronousWatch
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_pauseAfterFailure = TimeSpan.FromSeconds(30);

    /// <summary>Goes on until it is cancelled.</summary>
    public static async Task RunAsync(WalReceiveOptions options, int majorVersion, WalKeeper keeper, IOperationLog log, CancellationToken cancellationToken)
    {
        bool hasWarned = false;
        while (true)
        {
            try
            {
                ReplicationConnection connection = await ReplicationConnection.OpenAsync(
                    options.Server, options.Slot + "_watch", staysWhenIdle: majorVersion >= 14, OperationLog.None, cancellationToken).ConfigureAwait(false);
                await using (connection.ConfigureAwait(false))
                {
                    while (true)
                    {
                        await AskAsync(connection, options, keeper, log, cancellationToken).ConfigureAwait(false);
                        hasWarned = false;
                        await Task.Delay(s_pause, cancellationToken).ConfigureAwait(false);
                    }
                }
            }
            catch (Exception error) when (!cancellationToken.IsCancellationRequested)
            {
                string text = $"The server cannot be asked whether commits wait for this receiver (synchronous_standby_names); what was true last is taken to be true: {error.Message}";
                if (hasWarned)
                    log.Debug(text);
                else
                    log.Warning(text);
                hasWarned = true;
            }
            await Task.Delay(s_pauseAfterFailure, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Asks once, on a connection that does not stream.</summary>
    public static async Task AskAsync(ReplicationConnection connection, WalReceiveOptions options, WalKeeper keeper, IOperationLog log, CancellationToken cancellationToken)
    {
        string names = await connection.ShowAsync("synchronous_standby_names", cancellationToken).ConfigureAwait(false);
        bool isMeant = SynchronousNames.Mention(names, options.Slot);
        if (isMeant == keeper.IsSynchronous)
            return;
        log.Verbose(isMeant
            ? $"Commits wait for this receiver (synchronous_standby_names = '{names}'): what comes is stored at once."
            : "Commits do not wait for this receiver: what comes is stored by the interval.");
        keeper.IsSynchronous = isMeant;
    }
}
