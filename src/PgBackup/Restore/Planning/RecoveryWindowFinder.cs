using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;

namespace PgBackup.Restore.Planning;

/// <summary>Tells what of each cluster's past can be brought back, from what the repository holds.</summary>
public static class RecoveryWindowFinder
{
    /// <summary>
    /// The windows, oldest lineage and timeline first: one for each unbroken stretch of WAL that begins with a backup. A backup whose own WAL has a gap opens none,
    /// and is told as a warning. Throws what <see cref="RepositoryEncryption.ProveAsync"/> throws.
    /// </summary>
    public static async Task<IReadOnlyList<RecoveryWindow>> FindAsync(
        BackupRepository repository, IOperationLog? log = null, IProgress<OperationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        await RepositoryEncryption.ProveAsync(repository, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<ClusterBackup> catalog = await BackupCatalog.ListAsync(repository, cancellationToken).ConfigureAwait(false);
        var windows = new List<RecoveryWindow>();
        foreach (ClusterPast past in await ClusterPast.ReadAllAsync(repository, catalog, cancellationToken).ConfigureAwait(false))
        {
            foreach (TimelineId timeline in past.Timelines().Reverse())
            {
                TimelineHistory history = past.HistoryOf(timeline);
                IReadOnlyList<ClusterBackup> backups = past.BackupsOn(history);
                // A timeline of which nothing is archived yet leads nowhere that its parent does not.
                bool hasOwn = past.Inventory.TimelinesWithPieces.Contains(timeline) || backups.Any(b => b.Timeline == timeline);
                if (backups.Count > 0 && hasOwn)
                    windows.AddRange(await AlongAsync(past, history, backups, log ?? OperationLog.None, progress ?? NoProgress.Instance, cancellationToken).ConfigureAwait(false));
            }
        }
        return windows;
    }

    private static async Task<List<RecoveryWindow>> AlongAsync(
        ClusterPast past, TimelineHistory history, IReadOnlyList<ClusterBackup> backups, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken)
    {
        var finder = new TargetFinder(past, history, RestoreTarget.Latest, backups, progress);
        var stretches = new List<(WalRun Run, List<ClusterBackup> Backups)>();
        foreach (ClusterBackup backup in backups)
        {
            try
            {
                WalRun run = finder.RequireRun(backup);
                if (stretches.Count == 0 || stretches[^1].Run.Last != run.Last)
                    stretches.Add((run, []));
                stretches[^1].Backups.Add(backup);
            }
            catch (PgBackupException error) when (error.Id == "WalGapDetected")
            {
                log.Warning(error.Message);
            }
        }
        var windows = new List<RecoveryWindow>(stretches.Count);
        foreach ((WalRun run, List<ClusterBackup> members) in stretches)
        {
            ClusterBackup first = members[0];
            LogEnd tail = await finder.Scanner.TailAsync(run, cancellationToken).ConfigureAwait(false);
            WalTransactionEnd? last = await finder.Scanner.LastTransactionAsync(first.FinishLsn!.Value, tail.End, cancellationToken).ConfigureAwait(false);
            windows.Add(new RecoveryWindow
            {
                Timeline = history.Timeline,
                StartLsn = first.FinishLsn!.Value,
                StartTime = await finder.ConsistentTimeAsync(first, cancellationToken).ConfigureAwait(false),
                EndLsn = tail.End,
                EndTime = last?.Time,
                Backups = [.. members.Select(b => b.Name)],
                MissingSegment = run.Missing?.ToString(),
                SystemIdentifier = past.SystemIdentifier,
                Repository = past.Repository.Location,
            });
        }
        return windows;
    }
}
