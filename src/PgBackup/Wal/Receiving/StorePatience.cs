using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Wal.Fetch;

namespace PgBackup.Wal.Receiving;

/// <summary>Stores again and again while the store is away: that loses nothing, because the server keeps the log for the slot.</summary>
internal sealed class StorePatience(IOperationLog log)
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_nextComplaint = TimeSpan.FromMinutes(1);

    /// <summary>True for failures of the store that may be over in a moment, a full disk among them; not for those of our own temporary files.</summary>
    public static bool IsPassing(PgBackupException error) =>
        RestoreCommand.IsPassing(error) || (error.Kind == ErrorKind.WriteError && error.Id != "WalSpoolFailed");

    /// <summary>Stores something; returns when it is durable. Throws failures that do not pass.</summary>
    public async Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> store, string what, CancellationToken cancellationToken)
    {
        var pauses = new BackOff(s_firstPause, s_longestPause);
        long lastComplaint = 0;
        while (true)
        {
            try
            {
                T result = await store(cancellationToken).ConfigureAwait(false);
                if (lastComplaint != 0)
                    log.Information($"{what} is stored now.");
                return result;
            }
            catch (PgBackupException error) when (IsPassing(error))
            {
                if (lastComplaint == 0 || Stopwatch.GetElapsedTime(lastComplaint) > s_nextComplaint)
                {
                    lastComplaint = Stopwatch.GetTimestamp();
                    log.Warning($"{what} cannot be stored: {error.Message} It is tried again until it can; the server keeps what is not stored.");
                }
                await Task.Delay(pauses.Next(), cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
