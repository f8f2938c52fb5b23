using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Copy;

/// <summary>Tells what of a backup is in the destination already, and refuses what must not be mixed with it.</summary>
internal sealed class TargetReader(BackupRepository source, BackupRepository target, WalListing sourceWal, WalListing targetWal, CopyJournal journal, LeaseRecord? writer)
{
    /// <summary>
    /// Marks what has to go over. Throws <c>BackupNameTaken</c>, <c>BackupInProgress</c>, <c>WalContentConflict</c>.
    /// </summary>
    public async Task CompareAsync(PlannedBackup backup, CancellationToken cancellationToken)
    {
        if (writer?.Backup == backup.Name.Text)
            throw PgErrors.CopyNameBusy(backup.Name.Text, target.Location, writer.HostName, writer.ProcessId);
        backup.IsPublished = await IsPublishedAsync(backup, cancellationToken).ConfigureAwait(false);
        Dictionary<string, StoredObject> there = await ListAsync(RepositoryLayout.FolderOf(backup.Name), cancellationToken).ConfigureAwait(false);
        // A backup that is listed was proven before; of one that is not, only the journal tells what is whole and of this source.
        bool IsThere(StoredObject item) => there.TryGetValue(item.Key, out StoredObject found) && found.Size == item.Size && (backup.IsPublished || journal.Holds(item));
        backup.PendingFiles = [.. backup.Files.Where(f => !IsThere(f))];
        // Marks of the copy's own (permanent, user data) are left alone.
        backup.IsMetadataPending = backup.Metadata is { } metadata && !(backup.IsPublished && there.ContainsKey(metadata.Key));
        var wal = new List<StoredObject>();
        foreach (StoredObject item in backup.Wal)
        {
            if (!await IsWalThereAsync(item, !backup.IsPublished, cancellationToken).ConfigureAwait(false))
                wal.Add(item);
        }
        backup.PendingWal = wal;
    }

    /// <summary>What is listed below a folder of the destination, by key; nothing when the destination does not exist yet.</summary>
    public async Task<Dictionary<string, StoredObject>> ListAsync(string folder, CancellationToken cancellationToken)
    {
        var found = new Dictionary<string, StoredObject>(StringComparer.Ordinal);
        try
        {
            await foreach (StoredObject item in target.Store.ListAsync(folder, recursive: true, cancellationToken).ConfigureAwait(false))
                found[item.Key] = item;
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            // The first write creates it, where its parent folder exists.
        }
        return found;
    }

    /// <summary>
    /// Whether an object of the archive, or the same WAL file in another spelling, is in the destination. Name and size are believed; what differs in either is
    /// compared by content, and so is what a new backup needs where the size tells nothing: uncompressed segments all have the same. Throws <c>WalContentConflict</c>.
    /// </summary>
    public async Task<bool> IsWalThereAsync(WalItem item, CancellationToken cancellationToken, bool isNeeded = false)
    {
        StoredObject wanted = sourceWal.ObjectOf(item);
        foreach (StoredObject found in targetWal.SameFile(sourceWal, item))
        {
            bool isBelieved = found.Key == wanted.Key && found.Size == wanted.Size
                && (!isNeeded || IsCompressed(found.Key) || await WalComparer.SameBytesAsync(source.Store, target.Store, found.Key, cancellationToken).ConfigureAwait(false));
            if (!isBelieved)
                await WalComparer.RequireSameAsync(source, wanted.Key, target, found.Key, cancellationToken).ConfigureAwait(false);
            return true;
        }
        return false;
    }

    /// <summary>Whether a history file is there; two of one size may well differ, so its bytes are compared.</summary>
    public async Task<bool> IsHistoryThereAsync(StoredObject file, CancellationToken cancellationToken)
    {
        foreach (StoredObject found in targetWal.Histories.Values)
        {
            if (WalListing.TimelineOfHistory(found.Key) != WalListing.TimelineOfHistory(file.Key))
                continue;
            bool same = found.Key == file.Key && found.Size == file.Size
                && await WalComparer.SameBytesAsync(source.Store, target.Store, file.Key, cancellationToken).ConfigureAwait(false);
            if (!same)
                await WalComparer.RequireSameAsync(source, file.Key, target, found.Key, cancellationToken).ConfigureAwait(false);
            return true;
        }
        return false;
    }

    private static bool IsCompressed(string key) => CompressionNames.TrySplit(key, out _, out CompressionMethod method) && method != CompressionMethod.None;

    private Task<bool> IsWalThereAsync(StoredObject item, bool isNeeded, CancellationToken cancellationToken) => sourceWal.TryFind(item.Key, out WalItem found)
        ? IsWalThereAsync(found, cancellationToken, isNeeded)
        : IsHistoryThereAsync(item, cancellationToken);

    private async Task<bool> IsPublishedAsync(PlannedBackup backup, CancellationToken cancellationToken)
    {
        try
        {
            byte[]? there = await target.Store.TryReadAllAsync(backup.Sentinel.Key, cancellationToken).ConfigureAwait(false);
            if (there is null)
                return false;
            return there.AsSpan().SequenceEqual(backup.SentinelContent) ? true : throw PgErrors.CopyNameTaken(backup.Name.Text, target.Location);
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            return false;
        }
    }
}
