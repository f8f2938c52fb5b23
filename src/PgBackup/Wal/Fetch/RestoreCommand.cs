using PgBackup.Errors;
using PgBackup.Repository;

namespace PgBackup.Wal.Fetch;

/// <summary>
/// What PostgreSQL reads out of the end of a <c>restore_command</c>: 1 means "not there", which ends a recovery without harm; 126 and more stop the server, which is
/// right in a recovery that must not end early, but would shut down a standby for a fault that passes (PostgreSQL source: xlogarchive.c, RestoreArchivedFile).
/// </summary>
public static class RestoreCommand
{
    /// <summary>The file is not in the archive.</summary>
    public const int NotThere = 1;

    /// <summary>Anything else: the server stops instead of ending the recovery early.</summary>
    public const int Stop = 126;

    private static readonly TimeSpan[] s_pauses = [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4)];

    /// <summary>True when the data directory (the working directory of a restore_command) is that of a standby.</summary>
    public static bool IsStandby(string dataDirectory) => File.Exists(Path.Combine(dataDirectory, "standby.signal"));

    /// <summary>The exit code for a failure.</summary>
    public static int ExitCodeOf(PgBackupException error, bool standby) =>
        error.Id == "WalSegmentNotFound" || (standby && IsPassing(error)) ? NotThere : Stop;

    /// <summary>True for faults that may be over in a moment: the store cannot be reached.</summary>
    public static bool IsPassing(PgBackupException error) =>
        error.Kind is ErrorKind.ReadError or ErrorKind.ConnectionError or ErrorKind.OperationTimeout or ErrorKind.ResourceUnavailable or ErrorKind.ResourceBusy
        || error.Id is "RepositoryNotFound" or "StorageCredentialMissing" or "StorageCredentialExpired" or "StorageClockSkewed";

    /// <summary>Like <see cref="WalFetch.FetchAsync"/>, but faults that may pass are tried again for some seconds.</summary>
    public static Task<WalFetchResult> FetchAsync(
        BackupRepository repository, string name, string destination, IOperationLog? log = null, CancellationToken cancellationToken = default) =>
        FetchAsync(repository, name, destination, s_pauses, log, cancellationToken);

    internal static async Task<WalFetchResult> FetchAsync(
        BackupRepository repository, string name, string destination, TimeSpan[] pauses, IOperationLog? log, CancellationToken cancellationToken)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                return await WalFetch.FetchAsync(repository, name, destination, log, cancellationToken).ConfigureAwait(false);
            }
            catch (PgBackupException error) when (attempt < pauses.Length && IsPassing(error))
            {
                log?.Verbose($"{error.Message} Trying again in {pauses[attempt].TotalSeconds} s.");
                await Task.Delay(pauses[attempt], cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
