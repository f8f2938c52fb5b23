using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Verification.Survey;

/// <summary>Sums up a repository: one listing of everything, then the sentinels, several at once.</summary>
public static class RepositorySurvey
{
    private const int ParallelReads = 16;
    private const int ReportEvery = 1000;

    /// <summary>
    /// Lists and reads. Memory is a few words for each backup, whatever the number of objects. Throws <c>RepositoryNotFound</c>, <c>StorageReadFailed</c>.
    /// </summary>
    public static async Task<RepositorySummary> RunAsync(
        BackupRepository repository, IProgress<OperationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        progress ??= NoProgress.Instance;
        string activity = $"Summing up {repository.Location}";
        StoreDescription store = await repository.Store.DescribeAsync(cancellationToken).ConfigureAwait(false);
        var tally = new RepositoryTally();
        await foreach (StoredObject item in repository.Store.ListAsync("", recursive: true, cancellationToken).ConfigureAwait(false))
        {
            tally.Add(item);
            if (tally.Count % ReportEvery == 0)
                progress.Report(new OperationProgress(activity, "Listing objects", tally.Count, null, ProgressUnit.Items));
        }
        LineageTally lineages = await ReadAsync(repository, tally, progress, activity, cancellationToken).ConfigureAwait(false);
        (long unfinished, DateTimeOffset? oldest) = await InFlightAsync(repository.Store, cancellationToken).ConfigureAwait(false);
        EncryptionDocument? encryption = await RepositoryEncryption.ReadAsync(repository, cancellationToken).ConfigureAwait(false);
        return Describe(repository, store, tally, lineages) with
        {
            UnfinishedUploadCount = unfinished,
            OldestUnfinishedUpload = oldest,
            IsEncrypted = encryption is null ? lineages.IsEncrypted : encryption.Method != EncryptionDocument.NoMethod,
            KeyId = encryption?.KeyId,
        };
    }

    private static async Task<LineageTally> ReadAsync(
        BackupRepository repository, RepositoryTally tally, IProgress<OperationProgress> progress, string activity, CancellationToken cancellationToken)
    {
        var lineages = new LineageTally();
        foreach (ClusterIdentity identity in await RepositoryIdentity.ListAsync(repository, cancellationToken).ConfigureAwait(false))
            lineages.Add(identity);
        int total = tally.Backups.Count(b => b.SentinelKey is not null), done = 0;
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = ParallelReads, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(tally.Backups.Where(b => b.SentinelKey is not null), parallel, async (backup, token) =>
        {
            lineages.Add(backup, await TryReadAsync(repository, backup.SentinelKey!, token).ConfigureAwait(false));
            progress.Report(new OperationProgress(activity, "Reading sentinels", Interlocked.Increment(ref done), total, ProgressUnit.Items));
        }).ConfigureAwait(false);
        return lineages;
    }

    /// <summary>Null for a sentinel that cannot be read; one that was deleted since it was listed counts as such.</summary>
    private static async Task<BackupSentinel?> TryReadAsync(BackupRepository repository, string key, CancellationToken cancellationToken)
    {
        try
        {
            return await BackupDocuments.ReadSentinelAsync(repository, key, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id is "DocumentInvalid" or "ObjectTooLarge" or "ObjectNotFound")
        {
            return null;
        }
    }

    private static async Task<(long Count, DateTimeOffset? Oldest)> InFlightAsync(IObjectStore store, CancellationToken cancellationToken)
    {
        long count = 0;
        DateTimeOffset? oldest = null;
        await foreach (UnfinishedObject item in store.ListUnfinishedAsync("", cancellationToken).ConfigureAwait(false))
        {
            count++;
            if (oldest is null || item.Started < oldest)
                oldest = item.Started;
        }
        return (count, oldest);
    }

    private static RepositorySummary Describe(BackupRepository repository, StoreDescription store, RepositoryTally tally, LineageTally lineages)
    {
        BackupTally[] full = [.. tally.Backups.Where(b => b is { SentinelKey: not null, Name.IsDelta: false })];
        BackupTally[] delta = [.. tally.Backups.Where(b => b is { SentinelKey: not null, Name.IsDelta: true })];
        BackupTally[] unfinished = [.. tally.Backups.Where(b => b.SentinelKey is null)];
        IReadOnlyList<RepositoryTimeline> timelines = tally.Timelines;
        return new RepositorySummary
        {
            Repository = repository.Location,
            Kind = store.Kind,
            Endpoint = store.Endpoint,
            StoreRegion = store.Region,
            FullBackupCount = full.Length,
            FullBackupSize = full.Sum(b => b.Size),
            DeltaBackupCount = delta.Length,
            DeltaBackupSize = delta.Sum(b => b.Size),
            UnfinishedBackupCount = unfinished.Length,
            UnfinishedBackupSize = unfinished.Sum(b => b.Size),
            DamagedBackupCount = lineages.DamagedCount,
            OldestBackup = lineages.Oldest?.Name,
            OldestBackupTime = lineages.Oldest?.Time,
            NewestBackup = lineages.Newest?.Name,
            NewestBackupTime = lineages.Newest?.Time,
            WalSegmentCount = timelines.Sum(t => t.Count),
            WalSize = tally.WalSize,
            Timelines = timelines,
            Lineages = lineages.Lineages,
            PrivateObjectCount = tally.PrivateCount,
            PrivateSize = tally.PrivateSize,
            OtherObjectCount = tally.OtherCount,
            OtherSize = tally.OtherSize,
            ObjectCount = tally.Count,
            Size = tally.Size,
            Versioning = store.Versioning,
            HasObjectLock = store.HasObjectLock,
            DefaultRetention = store.DefaultRetention,
            FreeSpace = store.FreeBytes,
        };
    }
}
