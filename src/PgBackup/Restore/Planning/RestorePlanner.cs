using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Repository.Dumps;

namespace PgBackup.Restore.Planning;

/// <summary>Makes the plan of a restore and proves it; writes nothing.</summary>
public static class RestorePlanner
{
    /// <summary>
    /// Throws <c>BackupNotFound</c>, <c>BackupKindMismatch</c>, <c>TargetNotReachable</c>, <c>WalGapDetected</c>, <c>WalDamaged</c>, <c>ChainBroken</c>, <c>ObjectMissing</c>,
    /// <c>BackupDamaged</c>, what <see cref="RepositoryEncryption.ProveAsync"/> throws, <c>DestinationNotEmpty</c>, <c>DestinationInUse</c>, <c>DestinationNotReplaceable</c>, <c>WalNotArchived</c>, <c>InsufficientSpace</c>,
    /// <c>TablespaceMappingRequired</c>, <c>TablespaceMappingInvalid</c>, <c>TablespaceInUse</c>, <c>DestinationHoldsRepository</c>.
    /// </summary>
    public static async Task<RestorePlan> PlanAsync(
        BackupRepository repository, RestoreRequest request, IProgress<OperationProgress>? progress = null, IOperationLog? log = null, CancellationToken cancellationToken = default)
    {
        progress ??= NoProgress.Instance;
        await RepositoryEncryption.ProveAsync(repository, cancellationToken).ConfigureAwait(false);
        if (repository.Key?.Warning is { } keyWarning)
            log?.Warning(keyWarning);
        IReadOnlyList<ClusterBackup> catalog = await BackupCatalog.ListAsync(repository, cancellationToken).ConfigureAwait(false);
        ClusterBackup? named = request.Name is null ? null : Named(repository, catalog, request.Name);
        if (named is { Status: not BackupStatus.Complete })
            throw PgErrors.ChainBroken(repository.Location, named.Name, named.Problem ?? "it is not complete.");
        IReadOnlyList<ClusterPast> pasts = await ClusterPast.ReadAllAsync(repository, catalog, cancellationToken).ConfigureAwait(false);
        ClusterPast past = pasts.Where(p => named is null || p.Backups.Contains(named)).MaxBy(p => p.Backups[^1].StartTime)
            ?? throw (catalog.FirstOrDefault(b => b.Problem is not null) is { } broken
                ? PgErrors.ChainBroken(repository.Location, broken.Name, broken.Problem!)
                : PgErrors.NoBackups(repository.Location));

        var warnings = new List<string>();
        TimelineHistory history = ChooseHistory(past, pasts, request, named, warnings, log ?? OperationLog.None);
        List<ClusterBackup> candidates = [.. past.BackupsOn(history).Where(b => named is null || b.Name == named.Name)];
        while (true)
        {
            var finder = new TargetFinder(past, history, request.Target, candidates, progress);
            Reach reach = await FindAsync(past, pasts, finder, request, named, progress, cancellationToken).ConfigureAwait(false);
            try
            {
                // Side by side, because each costs a store at a distance several round trips; of several failures the first one's is told.
                BackupName name = BackupName.TryParse(reach.Backup.Name, out BackupName? parsed) ? parsed : throw new FormatException(reach.Backup.Name);
                Task<ProvenBackup> proving = BackupProof.RequireAsync(repository, reach.Backup, catalog, past, cancellationToken);
                Task<ControlFile> reading = BackupMembers.ReadControlFileAsync(repository, name, cancellationToken);
                Task<IReadOnlyList<BackupTablespace>> mapping = DestinationPlanner.TablespacesAsync(repository, reach.Backup, name, cancellationToken);
                Task<WalTransactionEnd?> searching = finder.Scanner.LastTransactionAsync(reach.Backup.StartLsn!.Value, reach.Stop, cancellationToken);
                await Task.WhenAll(proving, reading, mapping, searching).ConfigureAwait(false);
                ProvenBackup proven = await proving.ConfigureAwait(false);
                ControlFile control = await reading.ConfigureAwait(false);
                if (reach.Backup.SystemIdentifier is { } told && told != control.SystemIdentifier)
                    throw PgErrors.BackupDamaged(repository.Location, reach.Backup.Name, $"its control file is of the cluster {control.SystemIdentifier}, not of {told}.");
                RestorePlan plan = Describe(past, finder.Path, reach, proven, await searching.ConfigureAwait(false), request, warnings);
                IReadOnlyList<BackupTablespace> tablespaces = await mapping.ConfigureAwait(false);
                // All of the log is read for it: not where no server runs here that could be hurt.
                if (request.FindsNewTablespaces || TablespacePlanner.MayHurtOthers(tablespaces, request))
                    plan = plan with { NewTablespaces = await NewTablespacesAsync(finder.Scanner, reach, cancellationToken).ConfigureAwait(false) };
                if (request.DataDirectory is null)
                    return plan;
                TablespacePlanner.RequireNoneOfOthers(plan, request);
                return await DestinationPlanner.CompleteAsync(repository, plan, proven, control, tablespaces, request, cancellationToken).ConfigureAwait(false);
            }
            catch (PgBackupException error) when (named is null && candidates.Count > 1 && error.Id is "ObjectMissing" or "ChainBroken" or "BackupDamaged")
            {
                warnings.Add($"The backup '{reach.Backup.Name}' was passed over: {error.Message}");
                (log ?? OperationLog.None).Warning(warnings[^1]);
                candidates.Remove(reach.Backup);
            }
        }
    }

    private static ClusterBackup Named(BackupRepository repository, IReadOnlyList<ClusterBackup> catalog, string name) =>
        (name.Equals("LATEST", StringComparison.OrdinalIgnoreCase)
            ? catalog.LastOrDefault(b => b.Status == BackupStatus.Complete)
            : catalog.FirstOrDefault(b => b.Name == name))
        ?? throw (DumpLayout.IsName(name) ? PgErrors.BackupKindMismatch(name, repository.Location) : PgErrors.BackupNotFound(name, repository.Location));

    /// <summary>The newest timeline that leads on from a backup, as PostgreSQL's <c>latest</c>, but for those of which nothing is left; or the one that was asked for.</summary>
    private static TimelineHistory ChooseHistory(
        ClusterPast past, IReadOnlyList<ClusterPast> pasts, RestoreRequest request, ClusterBackup? named, List<string> warnings, IOperationLog log)
    {
        bool Usable(TimelineHistory history) => past.BackupsOn(history).Any(b => named is null || b.Name == named.Name);
        if (request.Timeline is { } asked)
        {
            TimelineHistory history = past.HistoryOf(asked);
            if (Usable(history))
                return history;
            if (named is null && !past.Timelines().Contains(asked) && pasts.FirstOrDefault(p => p.BackupsOn(p.HistoryOf(asked)).Count > 0) is { } other)
            {
                throw PgErrors.TargetNotReachable(
                    request.Target.ToString(), $"timeline {asked} is not one of the cluster with the newest backups, but of {Describe(other)}.",
                    $"Give -Name too, to restore that cluster: -Name {other.BackupsOn(other.HistoryOf(asked))[^1].Name} -Timeline {asked}.");
            }
            throw PgErrors.TargetNotReachable(
                request.Target.ToString(),
                past.Timelines().Contains(asked)
                    ? $"no backup{(named is null ? "" : $" '{named.Name}'")} lies on the way to timeline {asked}."
                    : $"the archive knows no timeline {asked}.",
                $"Timelines with a way from a backup: {string.Join(", ", past.Timelines().Where(t => Usable(past.HistoryOf(t))))}.");
        }
        TimelineHistory[] usable = [.. past.Timelines().Select(past.HistoryOf).Where(Usable)];
        TimelineHistory chosen = usable.FirstOrDefault(h => !past.IsDeadEnd(h)) ?? usable.FirstOrDefault() ?? throw PgErrors.NoBackups(past.Repository.Location);
        foreach (TimelineHistory passed in usable.TakeWhile(h => h != chosen))
        {
            TimelineSwitch left = passed.Switches[^1];
            warnings.Add($"Of timeline {passed.Timeline} the archive has the history file alone, and " + (past.EndBefore(left) is { } end
                ? $"the log of timeline {left.Parent} is there up to {end}, no further than {left.SwitchPoint}, where that one was left: timeline {chosen.Timeline} is followed. What was written on timeline {passed.Timeline} cannot be brought back."
                : $"the log of timeline {left.Parent} goes on behind {left.SwitchPoint}, where it says that one was left: timeline {chosen.Timeline} is followed. Give -Timeline {passed.Timeline} to stop there."));
            log.Warning(warnings[^1]);
        }
        return chosen;
    }

    private static async Task<Reach> FindAsync(
        ClusterPast past, IReadOnlyList<ClusterPast> pasts, TargetFinder finder, RestoreRequest request, ClusterBackup? named, IProgress<OperationProgress> progress,
        CancellationToken cancellationToken)
    {
        try
        {
            return await finder.FindAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id is "TargetNotReachable" or "WalGapDetected" && request.Timeline is null)
        {
            if (await ElsewhereAsync(past, finder.Path.History.Timeline, request, named, progress, cancellationToken).ConfigureAwait(false) is { } branch)
            {
                throw PgErrors.TargetNotReachable(
                    request.Target.ToString(), $"{error.Message} It lies on timeline {branch.Timeline}.", $"Give -Timeline {branch.Timeline} to follow that one.");
            }
            // The end of a log, or of a backup, is no point that somebody could have meant another cluster by.
            bool isPoint = request.Target.Kind is not (RestoreTargetKind.Latest or RestoreTargetKind.Immediate);
            foreach (ClusterPast other in pasts.Where(p => isPoint && named is null && p != past).OrderByDescending(p => p.Backups[^1].StartTime))
            {
                if (await ElsewhereAsync(other, null, request, null, progress, cancellationToken).ConfigureAwait(false) is { } found)
                {
                    throw PgErrors.TargetNotReachable(
                        request.Target.ToString(), $"{error.Message} It lies in the past of {Describe(other)}.",
                        $"Give -Name {found.Backup} -Timeline {found.Timeline} to restore that cluster.");
                }
            }
            throw;
        }
    }

    private static string Describe(ClusterPast past) =>
        $"another cluster in this repository, {past.SystemIdentifier}{(past.Backups[^1].ServerVersion is { } version ? $" (PostgreSQL {version})" : "")}";

    /// <summary>Looks for the target along the timelines that were not tried yet, newest first.</summary>
    private static async Task<(TimelineId Timeline, string Backup)?> ElsewhereAsync(
        ClusterPast past, TimelineId? tried, RestoreRequest request, ClusterBackup? named, IProgress<OperationProgress> progress, CancellationToken cancellationToken)
    {
        foreach (TimelineId timeline in past.Timelines())
        {
            TimelineHistory history = past.HistoryOf(timeline);
            ClusterBackup[] candidates = [.. past.BackupsOn(history).Where(b => named is null || b.Name == named.Name)];
            if (timeline == tried || candidates.Length == 0)
                continue;
            try
            {
                Reach reach = await new TargetFinder(past, history, request.Target, candidates, progress).FindAsync(cancellationToken).ConfigureAwait(false);
                return (timeline, reach.Backup.Name);
            }
            catch (PgBackupException error) when (error.Id is "TargetNotReachable" or "WalGapDetected" or "WalDamaged")
            {
                // Not on this one either.
            }
        }
        return null;
    }

    private static RestorePlan Describe(
        ClusterPast past, WalPath path, Reach reach, ProvenBackup proven, WalTransactionEnd? last, RestoreRequest request, List<string> warnings)
    {
        TimelineHistory history = path.History;
        ClusterBackup backup = reach.Backup;
        Lsn start = backup.StartLsn!.Value;
        ulong first = path.NumberOf(start), final = path.NumberBefore(reach.Needed);
        // Without a history file only the backup's own timeline can be followed, and not by its number.
        string timeline = past.HasHistory(history.Timeline) ? history.Timeline.ToString() : "current";
        return new RestorePlan
        {
            Target = request.Target,
            Name = backup.Name,
            Backup = backup,
            Chain = [.. proven.Chain.Select(n => n.Text)],
            Timeline = history.Timeline,
            TimelinePath = Steps(history, start, reach.Stop),
            FirstSegment = path.Segment(first).ToString(),
            LastSegment = path.Segment(final).ToString(),
            SegmentCount = (int)(final - first + 1),
            WalSize = path.StoredBytes(first, final),
            ConsistentLsn = backup.FinishLsn!.Value,
            ReachedLsn = reach.Stop,
            ReachedTime = last?.Time,
            TargetAction = request.TargetAction,
            DataDirectory = request.DataDirectory,
            RequiredSpace = DestinationPlanner.RequiredSpace(backup, path.Size),
            RecoverySettings = RecoverySettings.For(request, timeline, reach.LastRecord),
            Warnings = [.. warnings, .. proven.Warnings],
            Repository = past.Repository.Location,
            SegmentSize = path.Size,
        };
    }

    private static async Task<IReadOnlyList<string>> NewTablespacesAsync(WalScanner scanner, Reach reach, CancellationToken cancellationToken)
    {
        List<WalEvent> found = await scanner.FindAllAsync(
            reach.Backup.StartLsn!.Value, reach.Stop, WalRecordKinds.TablespaceCreation, static e => e is WalTablespaceCreation { Location.Length: > 0 }, "Looking for new tablespaces", cancellationToken)
            .ConfigureAwait(false);
        return [.. found.Cast<WalTablespaceCreation>().Select(static e => e.Location).Distinct(StringComparer.Ordinal)];
    }

    private static List<TimelineStep> Steps(TimelineHistory history, Lsn start, Lsn stop)
    {
        var steps = new List<TimelineStep>();
        foreach (TimelineSpan span in history.Path)
        {
            if (span.End is { } end && end <= start)
                continue;
            if (steps.Count > 0 && span.Start >= stop)
                break;
            steps.Add(new TimelineStep(span.Timeline, span.Start > start ? span.Start : start, span.End < stop ? span.End : null));
        }
        return steps;
    }
}
