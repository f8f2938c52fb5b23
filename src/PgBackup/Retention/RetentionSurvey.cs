using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;

namespace PgBackup.Retention;

/// <summary>Reads what retention has to know of a repository.</summary>
internal static class RetentionSurvey
{
    /// <summary>
    /// Lists backups and WAL. The WAL first: what is archived while the backups are listed is not seen, and so not judged. Throws what <see cref="RepositoryEncryption.ProveAsync"/> throws.
    /// </summary>
    public static Task<RetentionFacts> ReadAsync(BackupRepository repository, IOperationLog log, CancellationToken cancellationToken) => ReadAsync(repository, log, null, cancellationToken);

    /// <summary>The same with the cache of documents in another folder than the account's own.</summary>
    internal static async Task<RetentionFacts> ReadAsync(BackupRepository repository, IOperationLog log, string? cacheFolder, CancellationToken cancellationToken)
    {
        await RepositoryEncryption.ProveAsync(repository, cancellationToken).ConfigureAwait(false);
        WalInventory inventory = await WalInventory.LoadAsync(repository, cancellationToken).ConfigureAwait(false);
        var cache = DocumentCache.Open(repository.Location, log, cacheFolder);
        Task<IReadOnlyList<DatabaseBackup>> listing = DumpCatalog.ListAsync(repository, cache, cancellationToken);
        IReadOnlyList<ClusterBackup> catalog = await BackupCatalog.ListAsync(repository, cache, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<DatabaseBackup> dumps = await listing.ConfigureAwait(false);
        cache.Save();
        List<ClusterLog> logs = await LogsAsync(repository, inventory, catalog, log, cancellationToken).ConfigureAwait(false);
        List<RetentionBackup> backups = [.. catalog.Select(RetentionBackup.Of), .. dumps.Select(RetentionBackup.Of)];
        return new RetentionFacts(backups, new ArchiveFacts(inventory, logs));
    }

    private static async Task<List<ClusterLog>> LogsAsync(
        BackupRepository repository, WalInventory inventory, IReadOnlyList<ClusterBackup> catalog, IOperationLog log, CancellationToken cancellationToken)
    {
        IGrouping<ulong?, ClusterBackup>[] clusters =
            [.. catalog.Where(static b => b is { Status: BackupStatus.Complete, StartLsn: not null, FinishLsn: not null }).GroupBy(static b => b.SystemIdentifier)];
        if (clusters.Length == 0)
            return [];
        WalLineages lineages = await WalLineages.ReadAsync(repository, inventory, clusters.Select(static c => c.Key).OfType<ulong>().ToHashSet(), cancellationToken).ConfigureAwait(false);
        IReadOnlyList<TimelineHistory> histories = await HistoriesAsync(repository, inventory, log, cancellationToken).ConfigureAwait(false);
        var logs = new List<ClusterLog>(clusters.Length);
        foreach (IGrouping<ulong?, ClusterBackup> cluster in clusters)
        {
            WalSegmentSize size = await ClusterWal.SegmentSizeAsync(repository, [.. cluster], cancellationToken).ConfigureAwait(false);
            var own = histories.Where(h => cluster.Key is not { } identifier || lineages.MayBeOf(identifier, h, size)).ToDictionary(static h => h.Timeline);
            logs.Add(new ClusterLog(cluster.Key, size, own, (timeline, place) => cluster.Key is not { } identifier || lineages.MayHold(identifier, timeline, place)));
        }
        return logs;
    }

    private static async Task<IReadOnlyList<TimelineHistory>> HistoriesAsync(BackupRepository repository, WalInventory inventory, IOperationLog log, CancellationToken cancellationToken)
    {
        var read = new List<TimelineHistory>(inventory.Histories.Count);
        foreach (TimelineId timeline in inventory.Histories)
        {
            try
            {
                if (await WalArchive.ReadHistoryAsync(repository, timeline, cancellationToken).ConfigureAwait(false) is { } history)
                    read.Add(history);
            }
            catch (PgBackupException error) when (error.Id is "TimelineHistoryInvalid" or "ObjectDamaged")
            {
                log.Warning($"{error.Message} Timeline {timeline} is taken to lead on from every older one, so that none of its WAL goes too early.");
            }
        }
        return read;
    }
}
