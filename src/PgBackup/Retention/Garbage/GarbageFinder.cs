using PgBackup.Repository;
using PgBackup.Retention.Removal;
using PgBackup.Storage;

namespace PgBackup.Retention.Garbage;

/// <summary>Finds what nothing needs. Nothing that was written after <paramref name="before"/> counts: a program that knows no leases, wal-g, may be writing it.</summary>
/// <param name="repository">The repository.</param>
/// <param name="before">The youngest that garbage may be (UTC).</param>
/// <param name="now">The time that counts as now.</param>
internal sealed class GarbageFinder(BackupRepository repository, DateTimeOffset before, DateTimeOffset now)
{
    private static readonly RetentionPolicy s_everyBackup = new() { KeepLast = int.MaxValue };

    /// <summary>What is found, by kind.</summary>
    public async Task<IReadOnlyList<GarbageItem>> FindAsync(RetentionFacts facts, CancellationToken cancellationToken)
    {
        var found = new List<GarbageItem>();
        foreach (RetentionBackup backup in facts.Backups.Where(static b => b.Status == BackupStatus.Unfinished))
        {
            if (await UnfinishedAsync(backup, cancellationToken).ConfigureAwait(false) is { } item)
                found.Add(item);
        }
        found.AddRange(OrphanedWal(facts));
        found.AddRange(await ObjectsInFlightAsync(cancellationToken).ConfigureAwait(false));
        found.AddRange(await LocksAsync(facts, cancellationToken).ConfigureAwait(false));
        return found;
    }

    private async Task<GarbageItem?> UnfinishedAsync(RetentionBackup backup, CancellationToken cancellationToken)
    {
        long count = 0, bytes = 0;
        DateTimeOffset? modified = null;
        await foreach (StoredObject item in repository.Store.ListAsync(RemovableBackup.FolderOf(backup.Name), recursive: true, cancellationToken).ConfigureAwait(false))
        {
            (count, bytes) = (count + 1, bytes + item.Size);
            modified = modified > item.LastModified ? modified : item.LastModified;
        }
        await foreach (UnfinishedObject item in repository.Store.ListUnfinishedAsync(RemovableBackup.FolderOf(backup.Name), cancellationToken).ConfigureAwait(false))
        {
            (count, bytes) = (count + 1, bytes + (item.Size ?? 0));
            modified = modified > item.Started ? modified : item.Started;
        }
        return modified is null || modified >= before ? null : new GarbageItem
        {
            Name = backup.Name,
            Kind = backup.Kind == BackupKind.Cluster ? GarbageKind.UnfinishedBackup : GarbageKind.UnfinishedDump,
            Reason = "its run, or its removal, ended before it was complete",
            Modified = modified,
            ObjectCount = count,
            Size = new ByteSize(bytes),
            Repository = repository.Location,
        };
    }

    // WAL that would go although every backup stays.
    private IEnumerable<GarbageItem> OrphanedWal(RetentionFacts facts) =>
        RetentionPlanner.Decide(s_everyBackup with { WalBuffer = now - before }, facts, now)
            .Where(static d => d is { Kind: RetentionItemKind.Wal, Action: RetentionAction.Remove })
            .Select(d => new GarbageItem
            {
                Name = d.Name,
                LastSegment = d.LastSegment,
                Kind = GarbageKind.OrphanedWal,
                Reason = d.Reasons[0],
                ObjectCount = d.Count,
                Size = d.Size ?? default,
                Repository = repository.Location,
                Stretch = d.Stretch,
            });

    private async Task<List<GarbageItem>> ObjectsInFlightAsync(CancellationToken cancellationToken)
    {
        var folders = new SortedDictionary<string, (long Count, long Bytes, DateTimeOffset Newest)>(StringComparer.Ordinal);
        await foreach (UnfinishedObject item in repository.Store.ListUnfinishedAsync("", cancellationToken).ConfigureAwait(false))
        {
            if (item.Started >= before)
                continue;
            string folder = item.Key[..(item.Key.LastIndexOf('/') + 1)];
            (long count, long bytes, DateTimeOffset newest) = folders.GetValueOrDefault(folder);
            folders[folder] = (count + 1, bytes + (item.Size ?? 0), newest > item.Started ? newest : item.Started);
        }
        return
        [
            .. folders.Select(f => new GarbageItem
            {
                Name = f.Key,
                Kind = GarbageKind.UnfinishedObject,
                Reason = "begun, and never ended",
                Modified = f.Value.Newest,
                ObjectCount = f.Value.Count,
                Size = new ByteSize(f.Value.Bytes),
                Repository = repository.Location,
            }),
        ];
    }

    private async Task<List<GarbageItem>> LocksAsync(RetentionFacts facts, CancellationToken cancellationToken)
    {
        var names = facts.Backups.Select(static b => b.Name).ToHashSet(StringComparer.Ordinal);
        return
        [
            .. (await BackupLocks.ReadAsync(repository, cancellationToken).ConfigureAwait(false)).Where(l => !names.Contains(l.Key) && l.Value.Since < before).Select(l => new GarbageItem
            {
                Name = l.Key,
                Kind = GarbageKind.OrphanedLock,
                Reason = "its backup is not there",
                Modified = l.Value.Since,
                ObjectCount = 1,
                Size = default,
                Repository = repository.Location,
            }),
        ];
    }
}
