using System.Text.Json.Nodes;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Repository.Dumps;
using PgBackup.Storage;

namespace PgBackup.Retention;

/// <summary>Locks backups against retention, and unlocks them.</summary>
public static class BackupMarks
{
    /// <summary>
    /// Locks a backup. Without an end a base backup gets wal-g's permanent mark, with all of its chain (wal-g: <c>backup-mark</c>), so that wal-g heeds it too; until a time, or for a logical backup, the
    /// lock is ours alone. Returns the names that were locked. Throws <c>BackupNotFound</c>, <c>MaintenanceInProgress</c>.
    /// </summary>
    public static async Task<IReadOnlyList<string>> LockAsync(BackupRepository repository, string name, DateTimeOffset? until, CancellationToken cancellationToken = default)
    {
        if (until <= DateTimeOffset.UtcNow)
            throw PgErrors.LockInThePast(name, until.Value);
        await RequireNoMaintenanceAsync(repository, cancellationToken).ConfigureAwait(false);
        RetentionBackup backup = await FindAsync(repository, name, cancellationToken).ConfigureAwait(false);
        if (until is null && backup.Kind == BackupKind.Cluster)
        {
            // From the full on: after a kill no marked delta rests on one without a mark.
            foreach (string member in backup.Chain)
                await MarkAsync(repository, member, isPermanent: true, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await BackupLocks.WriteAsync(repository, name, new BackupLock(until?.ToUniversalTime(), DateTimeOffset.UtcNow), cancellationToken).ConfigureAwait(false);
        }
        // A removal that began meanwhile may have looked before the lock was there.
        await RequireNoMaintenanceAsync(repository, cancellationToken).ConfigureAwait(false);
        _ = await repository.Store.StatAsync(Removal.RemovableBackup.MarkerOf(name), cancellationToken).ConfigureAwait(false) ?? throw PgErrors.BackupNotFound(name, repository.Location);
        return until is null ? backup.Chain : [name];
    }

    /// <summary>
    /// Takes the lock and the permanent mark off one backup; those under it keep theirs (wal-g: <c>backup-mark -i</c>). Throws <c>BackupNotFound</c>, and <c>BackupHasDependents</c> when a permanent
    /// delta rests on it.
    /// </summary>
    public static async Task UnlockAsync(BackupRepository repository, string name, CancellationToken cancellationToken = default)
    {
        RetentionBackup backup = await FindAsync(repository, name, cancellationToken).ConfigureAwait(false);
        if (backup.Kind == BackupKind.Cluster && backup.IsPermanent)
        {
            IReadOnlyList<ClusterBackup> catalog = await BackupCatalog.ListAsync(repository, cancellationToken).ConfigureAwait(false);
            if (catalog.FirstOrDefault(b => b.IsPermanent && b.Name != name && b.Chain.Contains(name)) is { } dependent)
                throw PgErrors.UnlockUnderPermanent(name, dependent.Name, repository.Location);
            await MarkAsync(repository, name, isPermanent: false, cancellationToken).ConfigureAwait(false);
        }
        await BackupLocks.DeleteAsync(repository, [name], cancellationToken).ConfigureAwait(false);
    }

    private static async Task RequireNoMaintenanceAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        if (await BackupLease.CurrentCopyAsync(repository, cancellationToken).ConfigureAwait(false) is { } holder && MaintenanceLease.IsPurpose(holder.Backup))
            throw PgErrors.MaintenanceInProgress(repository.Location, holder.Backup, holder.HostName, holder.ProcessId, holder.Since);
    }

    private static async Task<RetentionBackup> FindAsync(BackupRepository repository, string name, CancellationToken cancellationToken)
    {
        RetentionBackup? found = DumpLayout.IsName(name)
            ? (await DumpCatalog.ListAsync(repository, cancellationToken).ConfigureAwait(false)).Where(b => b.Name == name).Select(RetentionBackup.Of).FirstOrDefault()
            : (await BackupCatalog.ListAsync(repository, cancellationToken).ConfigureAwait(false)).Where(b => b.Name == name).Select(RetentionBackup.Of).FirstOrDefault();
        return found is { Status: BackupStatus.Complete or BackupStatus.Damaged } ? found : throw PgErrors.BackupNotFound(name, repository.Location);
    }

    // As a tree, not as our record: what other programs have written there stays.
    private static async Task MarkAsync(BackupRepository repository, string name, bool isPermanent, CancellationToken cancellationToken)
    {
        if (!BackupName.TryParse(name, out BackupName? parsed))
            throw PgErrors.BackupNotFound(name, repository.Location);
        string key = RepositoryLayout.MetadataKey(parsed);
        byte[] content = await repository.Store.TryReadAllAsync(key, cancellationToken).ConfigureAwait(false) ?? throw PgErrors.ObjectNotFound(repository.Location, key);
        JsonNode? node;
        try
        {
            node = JsonNode.Parse(content);
        }
        catch (System.Text.Json.JsonException error)
        {
            throw PgErrors.DocumentInvalid(repository.Location, key, error);
        }
        if (node is not JsonObject document)
            throw PgErrors.DocumentInvalid(repository.Location, key, new System.Text.Json.JsonException("It is no object."));
        if (document["is_permanent"] is JsonValue now && now.TryGetValue(out bool value) && value == isPermanent)
            return;
        document["is_permanent"] = isPermanent;
        await repository.Store.PutAsync(key, System.Text.Encoding.UTF8.GetBytes(document.ToJsonString()), PutCondition.None, cancellationToken).ConfigureAwait(false);
    }
}
