namespace PgBackup.Repository;

/// <summary>
/// The right to remove backups: the leases of backups and of copies in one hand. While it is held no backup begins that could rest on one that goes, and while a backup or a copy runs nothing is removed.
/// </summary>
public sealed class MaintenanceLease : IAsyncDisposable
{
    private const string Prefix = "removal by ";

    private readonly BackupLease _backups;
    private readonly BackupLease _copies;

    private MaintenanceLease(BackupLease backups, BackupLease copies)
    {
        (_backups, _copies) = (backups, copies);
    }

    /// <summary>
    /// Takes both leases, and clears up behind a backup whose run died. Throws <c>BackupInProgress</c>, <c>CopyInProgress</c>, <c>MaintenanceInProgress</c>.
    /// </summary>
    /// <param name="repository">The repository.</param>
    /// <param name="command">Who asks, for those who have to wait.</param>
    /// <param name="log">Where it is said what was cleared up.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    public static async Task<MaintenanceLease> AcquireAsync(BackupRepository repository, string command, IOperationLog log, CancellationToken cancellationToken = default)
    {
        BackupLease backups = await BackupLease.AcquireAsync(repository, Prefix + command, cancellationToken).ConfigureAwait(false);
        try
        {
            await BackupFolder.ClearAfterAsync(repository, backups.Predecessor, log, cancellationToken).ConfigureAwait(false);
            return new MaintenanceLease(backups, await BackupLease.AcquireForCopyAsync(repository, Prefix + command, cancellationToken).ConfigureAwait(false));
        }
        catch
        {
            await backups.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Whether a lease's purpose is the removal of backups.</summary>
    internal static bool IsPurpose(string purpose) => purpose.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>Proves that both are still ours; to be asked right before anything is removed. Throws <c>LeaseLost</c>.</summary>
    public Task RequireHeldAsync(CancellationToken cancellationToken = default) =>
        Task.WhenAll(_backups.RequireHeldAsync(cancellationToken), _copies.RequireHeldAsync(cancellationToken));

    /// <summary>Gives both back.</summary>
    public async ValueTask DisposeAsync()
    {
        await _copies.DisposeAsync().ConfigureAwait(false);
        await _backups.DisposeAsync().ConfigureAwait(false);
    }
}
