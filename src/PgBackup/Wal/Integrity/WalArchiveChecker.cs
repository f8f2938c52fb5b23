using System.Diagnostics;
using System.Runtime.CompilerServices;
using PgBackup.Repository;
using PgBackup.Wal.Integrity.Content;

namespace PgBackup.Wal.Integrity;

/// <summary>
/// Checks the archive along the timelines: whether every segment is there that backups need to be rolled forward, and on demand what the objects hold.
/// </summary>
public static class WalArchiveChecker
{
    /// <summary>
    /// One result for each path, the newest cluster's last. Throws <c>WalArchiveEmpty</c>, <c>BackupNotFound</c>, <c>WalTimelineNotFound</c>, <c>WalRangeInvalid</c>,
    /// <c>ClusterIdentityMismatch</c>, and what proving the key throws. What is wrong with the archive is never thrown.
    /// </summary>
    public static async IAsyncEnumerable<WalArchiveCheck> RunAsync(
        BackupRepository repository, WalCheckOptions options, IProgress<OperationProgress>? progress = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        progress ??= NoProgress.Instance;
        IReadOnlyList<ClusterLog> logs = await ClusterLog.ReadAllAsync(repository, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<KnownGap> known = await GapRegister.ReadAsync(repository, cancellationToken).ConfigureAwait(false);
        foreach (PlannedPath path in CheckPlan.Make(logs, options, repository.Location))
            yield return await CheckAsync(path, options, known, progress, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<WalArchiveCheck> CheckAsync(
        PlannedPath planned, WalCheckOptions options, IReadOnlyList<KnownGap> known, IProgress<OperationProgress> progress, CancellationToken cancellationToken)
    {
        var watch = Stopwatch.StartNew();
        ClusterLog log = planned.Log;
        List<WalSegmentRange> ranges = RangesOf(planned, options, known);
        var faults = new FaultList(planned);
        faults.AddHistories();
        ContentTally tally = default;
        if (options.Level > WalCheckLevel.Names)
            tally = await ContentCheck.RunAsync(planned, options, faults, progress, cancellationToken).ConfigureAwait(false);
        StoredSizes.Check(planned, options, faults);
        IReadOnlyList<UnrestorableBackup> unrestorable = UnrestorableBackups(planned, faults);
        var findings = new PathFindings(planned, ranges, faults, unrestorable);
        return new WalArchiveCheck
        {
            Timeline = planned.Path.History.Timeline,
            IsCurrent = planned.IsCurrent,
            Status = findings.Status,
            Reasons = findings.Reasons,
            Level = options.Level,
            First = planned.Path.Segment(planned.First),
            Last = planned.Path.Segment(planned.Last),
            Count = (long)(planned.Last - planned.First + 1),
            MissingCount = ranges.Where(r => r.IsGap).Sum(r => r.Count),
            AcknowledgedCount = ranges.Where(r => r.State == WalSegmentState.Acknowledged).Sum(r => r.Count),
            Ranges = ranges,
            Backups = [.. planned.Backups.Select(b => b.Name)],
            UnrestorableBackups = [.. unrestorable.Select(u => u.Backup)],
            Faults = faults.InOrder(),
            FaultCount = faults.Count,
            ReadCount = tally.Segments,
            ReadSize = new ByteSize(tally.Bytes),
            Duration = watch.Elapsed,
            SystemIdentifier = log.SystemIdentifier,
            Repository = log.Repository.Location,
        };
    }

    private static List<WalSegmentRange> RangesOf(PlannedPath planned, WalCheckOptions options, IReadOnlyList<KnownGap> known)
    {
        ClusterLog log = planned.Log;
        LogPath path = planned.Path;
        bool isFresh = path.LastNumber is { } newest && path.PlaceOf(newest) is { } place
            && DateTimeOffset.UtcNow - log.Inventory.StoredTimeAt(path.Segment(newest).Timeline, place) < GapJudge.UploadTime;
        isFresh |= path.Tails.Any(t => DateTimeOffset.UtcNow - t.Tail.Modified < GapJudge.UploadTime);
        var judge = new GapJudge(planned.Last, path.HeldNumber, options.MaxDelayed, options.UploadWindow, isFresh, RangeFactory.KnownOf(log, known));
        var ranges = new List<WalSegmentRange>();
        foreach (SegmentRun run in path.Scan(planned.First, planned.Last))
        {
            foreach ((SegmentRun part, WalSegmentState state, KnownGap? gap) in judge.Judge(run))
                ranges.Add(RangeFactory.Make(log, part, state, gap));
        }
        return ranges;
    }

    // The log that was written while a backup was taken: without it the files do not become consistent, and no acknowledgement helps.
    private static List<UnrestorableBackup> UnrestorableBackups(PlannedPath planned, FaultList faults)
    {
        var found = new List<UnrestorableBackup>();
        foreach (ClusterBackup backup in planned.Backups)
        {
            ulong first = planned.Log.SegmentSize.SegmentNumberOf(backup.StartLsn!.Value), last = planned.Path.NumberBefore(backup.FinishLsn!.Value);
            SegmentRun? gap = FirstGap(planned.Path.Scan(first, last), backup.FinishLsn.Value, planned.Log.SegmentSize);
            if (gap is { } missing)
                found.Add(new UnrestorableBackup(backup.Name, Describe(missing, planned.Log.SegmentSize)));
            else if (faults.FirstDamaged(first, last) is { } damaged)
                found.Add(new UnrestorableBackup(backup.Name, $"{planned.Path.Segment(damaged)} is damaged"));
        }
        return found;
    }

    // Pieces will do where they hold all of the segment, or of the last one as much as the backup needs.
    private static SegmentRun? FirstGap(IEnumerable<SegmentRun> runs, Lsn finish, WalSegmentSize size)
    {
        foreach (SegmentRun run in runs)
        {
            if (!run.IsThere && !(run.PiecesEnd >= finish) && !(run.PiecesEnd >= size.StartOf(run.Last + 1)))
                return run;
        }
        return null;
    }

    private static string Describe(SegmentRun gap, WalSegmentSize size) =>
        WalSegmentName.Of(gap.Timeline, gap.First, size) + (gap.PiecesEnd is { } end ? $" is there in pieces only, up to {end}" : " is missing");
}

/// <summary>A backup whose own log is not whole, and what of it is not.</summary>
internal sealed record UnrestorableBackup(string Backup, string Detail);
