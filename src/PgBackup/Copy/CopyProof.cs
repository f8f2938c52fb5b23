using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Copy;

/// <summary>Compares what the destination lists with what was to be copied.</summary>
internal static class CopyProof
{
    /// <summary>
    /// Before a backup is published: every object is there with its size, and nothing else lies beside its parts, for wal-g takes all that is there for a part. Throws
    /// <c>CopyNotConfirmed</c>.
    /// </summary>
    public static async Task RequireAsync(BackupRepository target, TargetReader reader, PlannedBackup backup, CancellationToken cancellationToken)
    {
        Dictionary<string, StoredObject> there = await reader.ListAsync(RepositoryLayout.FolderOf(backup.Name), cancellationToken).ConfigureAwait(false);
        foreach (StoredObject item in backup.Metadata is { } metadata ? backup.Files.Append(metadata) : backup.Files)
        {
            await RequireAsync(target, item, there.Remove(item.Key, out StoredObject found) ? found : null, cancellationToken).ConfigureAwait(false);
        }
        if (there.Count > 0)
            await target.Store.DeleteAsync(there.Keys, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>At the end: every backup is listed, and its WAL is in the archive. Throws <c>CopyNotConfirmed</c>.</summary>
    public static async Task RequireAsync(BackupRepository target, CopyPlan plan, IReadOnlySet<string> failed, CancellationToken cancellationToken)
    {
        WalListing wal = await WalListing.LoadAsync(target.Store, cancellationToken).ConfigureAwait(false);
        var sentinels = new Dictionary<string, StoredObject>(StringComparer.Ordinal);
        await foreach (StoredObject item in target.Store.ListAsync(RepositoryLayout.BackupFolder, recursive: false, cancellationToken).ConfigureAwait(false))
            sentinels[item.Key] = item;
        foreach (PlannedBackup backup in plan.Backups)
        {
            if (failed.Contains(backup.Name.Text))
                continue;
            await RequireAsync(target, backup.Sentinel, sentinels.TryGetValue(backup.Sentinel.Key, out StoredObject found) ? found : null, cancellationToken).ConfigureAwait(false);
            // What was there in another spelling was compared by content.
            foreach (StoredObject item in backup.PendingWal)
            {
                StoredObject? listed = wal.TryFind(item.Key, out WalItem segment) ? wal.ObjectOf(segment)
                    : wal.Histories.TryGetValue(item.Key, out StoredObject history) ? history : null;
                await RequireAsync(target, item, listed, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    // A listing may lag behind; asked for itself, an object cannot.
    private static async Task RequireAsync(BackupRepository target, StoredObject wanted, StoredObject? listed, CancellationToken cancellationToken)
    {
        if (listed?.Size == wanted.Size)
            return;
        StoredObject? found = await target.Store.StatAsync(wanted.Key, cancellationToken).ConfigureAwait(false);
        if (found?.Size != wanted.Size)
            throw PgErrors.CopyNotConfirmed(target.Location, wanted.Key, found is null ? "is not there any more." : $"has {found.Value.Size} bytes there instead of {wanted.Size}.");
    }
}
