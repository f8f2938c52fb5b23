using System.Collections.Concurrent;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Copy;

/// <summary>What a copy will do.</summary>
/// <param name="Backups">The backups, parents before their deltas, else in the order in which the source listed them.</param>
/// <param name="Refused">Those that cannot be copied, and why.</param>
/// <param name="SourceWal">The source's archive.</param>
/// <param name="Target">The destination.</param>
internal sealed record CopyPlan(
    List<PlannedBackup> Backups, IReadOnlyList<(string Name, PgBackupException Error)> Refused, WalListing SourceWal, TargetReader Target);

/// <summary>Makes the plan of a copy and proves it; writes nothing.</summary>
internal sealed class CopyPlanner(
    BackupRepository source, BackupRepository target, IReadOnlyList<ClusterBackup> catalog, CopyOptions options, CopyJournal journal, IOperationLog log)
{
    private const int ParallelReads = 8;

    private readonly List<(string Name, PgBackupException Error)> _refused = [];
    private readonly HashSet<string> _failed = new(StringComparer.Ordinal);

    /// <summary>
    /// Throws <c>ClusterIdentityMismatch</c>, <c>EncryptionMismatch</c>, <c>InsufficientSpace</c>; what is wrong with one backup alone refuses that one and its deltas.
    /// </summary>
    public async Task<CopyPlan> PlanAsync(IReadOnlyList<ClusterBackup> wanted, CancellationToken cancellationToken)
    {
        WalListing sourceWal = await WalListing.LoadAsync(source.Store, cancellationToken).ConfigureAwait(false);
        WalListing targetWal = await WalListing.LoadAsync(target.Store, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<ClusterBackup> targetCatalog = await TargetCatalogAsync(cancellationToken).ConfigureAwait(false);
        LeaseRecord? writer = targetCatalog.Count == 0 ? null : await BackupLease.CurrentAsync(target, cancellationToken).ConfigureAwait(false);
        // Of backups that are listed, or gone, nothing need be remembered.
        var listed = targetCatalog.Where(b => b.Status is BackupStatus.Complete or BackupStatus.Damaged).Select(b => b.Name).ToHashSet(StringComparer.Ordinal);
        journal.Keep([.. catalog.Where(b => !listed.Contains(b.Name)).Select(b => $"{RepositoryLayout.BackupFolder}{b.Name}/")]);
        await EncryptionGuard.RequireAsync(source, target, targetCatalog, sourceWal, targetWal, cancellationToken).ConfigureAwait(false);
        var reader = new SourceReader(source, catalog, sourceWal, log);
        var targetReader = new TargetReader(source, target, sourceWal, targetWal, journal, writer);

        List<PlannedBackup> backups = Order(await ReadAsync(Closure(wanted), reader, cancellationToken).ConfigureAwait(false));
        await IdentityGuard.RequireAsync(target, targetCatalog, backups, options.NewLineage, cancellationToken).ConfigureAwait(false);
        backups = await CompareAsync(backups, targetReader, cancellationToken).ConfigureAwait(false);
        if (options.WithHistory)
            await SetTailsAsync(backups, reader, cancellationToken).ConfigureAwait(false);
        Count(backups, sourceWal, targetWal, cancellationToken);
        await RequireSpaceAsync(backups, cancellationToken).ConfigureAwait(false);
        WarnOfNewer(backups, targetCatalog);
        return new CopyPlan(backups, _refused, sourceWal, targetReader);
    }

    /// <summary>The chains of all that is wanted, each backup once.</summary>
    private List<ClusterBackup> Closure(IReadOnlyList<ClusterBackup> wanted)
    {
        var byName = catalog.ToDictionary(b => b.Name, StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.Ordinal);
        var closure = new List<ClusterBackup>();
        foreach (ClusterBackup backup in wanted)
        {
            foreach (string name in backup.Status == BackupStatus.Complete ? backup.Chain : [backup.Name])
            {
                if (names.Add(name))
                    closure.Add(byName.GetValueOrDefault(name) ?? backup);
            }
        }
        return closure;
    }

    private async Task<List<PlannedBackup>> ReadAsync(List<ClusterBackup> closure, SourceReader reader, CancellationToken cancellationToken)
    {
        var sentinels = new Dictionary<string, StoredObject>(StringComparer.Ordinal);
        await foreach (StoredObject item in source.Store.ListAsync(RepositoryLayout.BackupFolder, recursive: false, cancellationToken).ConfigureAwait(false))
            sentinels[item.Key] = item;
        var read = new ConcurrentDictionary<string, PlannedBackup>(StringComparer.Ordinal);
        var failures = new ConcurrentDictionary<string, PgBackupException>(StringComparer.Ordinal);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = ParallelReads, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(closure, parallel, async (backup, token) =>
        {
            try
            {
                StoredObject? sentinel = sentinels.TryGetValue(RepositoryLayout.BackupFolder + backup.Name + RepositoryLayout.SentinelSuffix, out StoredObject found) ? found : null;
                read[backup.Name] = await reader.ReadAsync(backup, sentinel, token).ConfigureAwait(false);
            }
            catch (PgBackupException error) when (IsOfOneBackup(error))
            {
                failures[backup.Name] = error;
            }
        }).ConfigureAwait(false);
        foreach (ClusterBackup backup in closure)
        {
            if (failures.TryGetValue(backup.Name, out PgBackupException? error))
                Refuse(backup.Name, error);
        }
        return [.. closure.Where(b => read.ContainsKey(b.Name)).Select(b => read[b.Name])];
    }

    // By the age of the sentinels, as wal-g orders backups; a parent before its deltas whatever the ages say.
    private List<PlannedBackup> Order(List<PlannedBackup> backups)
    {
        backups.Sort(static (a, b) => (a.Sentinel.LastModified, a.Backup.StartTime, a.Name).CompareTo((b.Sentinel.LastModified, b.Backup.StartTime, b.Name)));
        var byName = backups.ToDictionary(b => b.Name.Text, StringComparer.Ordinal);
        var ordered = new List<PlannedBackup>(backups.Count);
        var placed = new HashSet<string>(StringComparer.Ordinal);
        foreach (PlannedBackup backup in backups)
        {
            foreach (string member in backup.Backup.Chain)
            {
                if (placed.Add(member) && byName.TryGetValue(member, out PlannedBackup? planned) && !IsOrphan(planned))
                    ordered.Add(planned);
            }
        }
        return ordered;
    }

    private async Task<List<PlannedBackup>> CompareAsync(List<PlannedBackup> backups, TargetReader reader, CancellationToken cancellationToken)
    {
        var accepted = new List<PlannedBackup>(backups.Count);
        foreach (PlannedBackup backup in backups)
        {
            if (IsOrphan(backup))
                continue;
            try
            {
                await reader.CompareAsync(backup, cancellationToken).ConfigureAwait(false);
                accepted.Add(backup);
            }
            catch (PgBackupException error) when (IsOfOneBackup(error))
            {
                Refuse(backup.Name.Text, error);
            }
        }
        return accepted;
    }

    private bool IsOrphan(PlannedBackup backup)
    {
        if (backup.Backup.Parent is not { } parent || !_failed.Contains(parent))
            return false;
        Refuse(backup.Name.Text, PgErrors.CopyParentMissing(backup.Name.Text, parent, target.Location));
        return true;
    }

    private void Refuse(string name, PgBackupException error)
    {
        if (_failed.Add(name))
            _refused.Add((name, error));
    }

    /// <summary>Cuts the archive behind the oldest backup into what follows each one.</summary>
    private async Task SetTailsAsync(List<PlannedBackup> backups, SourceReader reader, CancellationToken cancellationToken)
    {
        PlannedBackup[] byPlace = [.. backups.OrderBy(b => b.FirstNumber)];
        var warned = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < byPlace.Length; i++)
        {
            byPlace[i].TailEnd = i + 1 < byPlace.Length ? byPlace[i + 1].FirstNumber - 1 : ulong.MaxValue;
            if (await reader.GapBehindAsync(byPlace[i].Backup, cancellationToken).ConfigureAwait(false) is { } gap && warned.Add(gap))
            {
                log.Warning($"The WAL segment {gap} is missing in the repository '{source.Location}': what lies behind it is copied, "
                    + "but cannot be reached from backups before it, there as little as here.");
            }
        }
    }

    private static void Count(List<PlannedBackup> backups, WalListing sourceWal, WalListing targetWal, CancellationToken cancellationToken)
    {
        var counted = new HashSet<string>(StringComparer.Ordinal);
        foreach (PlannedBackup backup in backups)
        {
            cancellationToken.ThrowIfCancellationRequested();
            long bytes = 0;
            int count = 0;
            foreach (StoredObject item in backup.PendingFiles.Concat(backup.PendingWal))
            {
                if (counted.Add(item.Key))
                    (count, bytes) = (count + 1, bytes + item.Size);
            }
            if (backup is { IsMetadataPending: true, Metadata: { } metadata })
                (count, bytes) = (count + 1, bytes + metadata.Size);
            if (!backup.IsPublished)
                (count, bytes) = (count + 1, bytes + backup.Sentinel.Size);
            int all = backup.Files.Count + backup.Wal.Count + (backup.Metadata is null ? 1 : 2);
            var own = backup.Wal.Select(static item => item.Key).ToHashSet(StringComparer.Ordinal);
            foreach (WalItem item in TailOf(backup, sourceWal))
            {
                string key = sourceWal.ObjectOf(item).Key;
                if (own.Contains(key))
                    continue;
                all++;
                // Another spelling is compared when its turn comes; here it counts as there.
                if (!targetWal.SameFile(sourceWal, item).Any() && !counted.Contains(key))
                    (count, bytes) = (count + 1, bytes + item.Size);
            }
            (backup.ObjectCount, backup.Size, backup.SkippedCount) = (count, bytes, all - count);
        }
    }

    /// <summary>The objects of the archive from a backup's first segment to the next backup's, of every timeline.</summary>
    public static IEnumerable<WalItem> TailOf(PlannedBackup backup, WalListing wal) => backup.TailEnd is not { } end
        ? []
        : wal.Timelines.SelectMany(timeline => wal.Between(timeline, backup.FirstNumber, end));

    private async Task RequireSpaceAsync(List<PlannedBackup> backups, CancellationToken cancellationToken)
    {
        long needed = backups.Sum(b => b.Size.Bytes);
        try
        {
            if ((await target.Store.DescribeAsync(cancellationToken).ConfigureAwait(false)).FreeBytes is { } free && free < needed)
                throw PgErrors.CopySpaceInsufficient(target.Location, needed, free);
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            // The first write creates it, where its parent folder exists.
        }
    }

    private void WarnOfNewer(List<PlannedBackup> backups, IReadOnlyList<ClusterBackup> targetCatalog)
    {
        PlannedBackup? last = backups.LastOrDefault(b => !b.IsPublished);
        ClusterBackup? newer = last is null ? null : targetCatalog.LastOrDefault(b => b.Status == BackupStatus.Complete && b.StartTime > last.Backup.StartTime);
        if (newer is not null)
        {
            log.Warning($"The repository '{target.Location}' holds the backup '{newer.Name}', which is newer than '{last!.Name}'. wal-g takes the backup that was "
                + $"written last for LATEST, which is now '{last.Name}' there; PgBackup goes by the time at which backups began.");
        }
    }

    private async Task<IReadOnlyList<ClusterBackup>> TargetCatalogAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await BackupCatalog.ListAsync(target, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            return [];
        }
    }

    // A store that does not answer or a wrong key is no matter of one backup.
    private static bool IsOfOneBackup(PgBackupException error) => error.Id is "ChainBroken" or "ObjectMissing" or "BackupDamaged" or "WalGapDetected" or "DocumentInvalid"
        or "ObjectNotFound" or "ObjectDamaged" or "ObjectTooLarge" or "TimelineHistoryInvalid" or "BackupNameTaken" or "BackupInProgress" or "WalContentConflict" or "ControlFileInvalid";
}
