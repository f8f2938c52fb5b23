using System.Globalization;

namespace PgBackup.Wal.Integrity;

/// <summary>Judges what was found along a path, in sentences.</summary>
internal sealed class PathFindings
{
    private const int Shown = 3;

    private readonly List<string> _failures = [];
    private readonly List<string> _warnings = [];

    public PathFindings(PlannedPath planned, IReadOnlyList<WalSegmentRange> ranges, FaultList faults, IReadOnlyList<UnrestorableBackup> unrestorable)
    {
        JudgeBackups(planned, unrestorable);
        JudgeRanges(planned, ranges);
        JudgeFaults(faults);
        JudgeTimelines(planned);
    }

    public WalCheckStatus Status => _failures.Count > 0 ? WalCheckStatus.Failure : _warnings.Count > 0 ? WalCheckStatus.Warning : WalCheckStatus.Ok;

    public IReadOnlyList<string> Reasons => [.. _failures, .. _warnings];

    private void JudgeBackups(PlannedPath planned, IReadOnlyList<UnrestorableBackup> unrestorable)
    {
        foreach (UnrestorableBackup backup in unrestorable.Take(Shown))
            _failures.Add($"The backup {backup.Backup} cannot be restored: {backup.Detail}.");
        if (unrestorable.Count > Shown)
            _failures.Add($"Nor can {unrestorable.Count - Shown} more; see UnrestorableBackups.");
        if (planned.Backups.Count == 0)
            _warnings.Add("No backup can be rolled forward with this WAL: take one with Backup-PgCluster.");
    }

    private void JudgeRanges(PlannedPath planned, IReadOnlyList<WalSegmentRange> ranges)
    {
        // On a timeline that the cluster has left, a gap behind the backups shortens what can be reached, and nothing else.
        if (Sentence(ranges, WalSegmentState.Lost, "lost") is { } lost)
        {
            if (planned.IsAsked)
                _failures.Add($"{lost} What lies behind cannot be reached from an older backup.");
            else
                _warnings.Add($"{lost} On this timeline, which the cluster has left, nothing behind can be reached.");
        }
        if (Sentence(ranges, WalSegmentState.Delayed, "late, within -MaxDelayed") is { } delayed)
            _warnings.Add(delayed);
        if (Sentence(ranges, WalSegmentState.Uploading, "missing, near enough to the end to be on the way") is { } uploading)
            _warnings.Add($"{uploading} Check again in a minute.");
        if (planned.Finished is { } finished && ranges.FirstOrDefault(r => r.State == WalSegmentState.InPieces && r.EndLsn < EndOf(r)) is { } held && held.First.NumberFor(planned.Path.Size) <= finished)
            _warnings.Add($"{held.First} is there in pieces up to {held.EndLsn}, and the server has finished it: who receives the log is behind, or has stopped. Look with Get-PgWalArchiveStatus.");
        long duplicates = ranges.Sum(r => r.DuplicateCount);
        if (duplicates > 0)
            _warnings.Add($"{Number(duplicates, "object is", "objects are")} there besides the one that a restore takes; Get-PgWalSegment -Expand names them.");

        Lsn EndOf(WalSegmentRange range) => range.Last.NextFor(planned.Path.Size).StartFor(planned.Path.Size);
    }

    private void JudgeFaults(FaultList faults)
    {
        IReadOnlyList<WalFault> all = faults.InOrder();
        List<WalFault> failures = [.. all.Where(f => f.IsFailure)], warnings = [.. all.Where(f => !f.IsFailure)];
        foreach (WalFault fault in failures.Take(Shown))
            _failures.Add($"{fault.Key}: {fault.Message}");
        if (failures.Count > Shown)
            _failures.Add($"{faults.Count - Shown - warnings.Count} more objects are damaged; see Faults.");
        foreach (WalFault fault in warnings.Take(Shown))
            _warnings.Add($"{fault.Key}: {fault.Message}");
        if (warnings.Count > Shown)
            _warnings.Add($"{warnings.Count - Shown} more objects need attention; see Faults.");
    }

    private void JudgeTimelines(PlannedPath planned)
    {
        ClusterLog log = planned.Log;
        TimelineId own = planned.Path.History.Timeline;
        if (planned.ServerElsewhere is { } server)
        {
            _failures.Add($"The server {server.Server} is on timeline {server.Timeline}, and the archive holds nothing of it, not even {server.Timeline.HistoryFileName}: "
                + "nothing that happened since can be brought back. See with Get-PgWalArchiveStatus why it does not archive.");
        }
        if (!log.HasHistory(own))
            _warnings.Add($"{own.HistoryFileName} is not in the archive: no backup of an older timeline can be rolled forward to timeline {own}. Push it from the server's pg_wal.");
        if (!planned.IsCurrent)
            return;
        TimelineId newest = log.Timelines()[0];
        if (newest <= own)
            return;
        _warnings.Add(log.IsAlive(newest)
            ? $"The archive holds timeline {newest}, newer than the server's: a restore to the latest point would follow it. If it is a test server's, give that a repository of its own."
            : $"The archive holds {newest.HistoryFileName} and nothing else of timeline {newest}: of a server that was promoted and has not archived yet, or is gone.");
    }

    private static string? Sentence(IReadOnlyList<WalSegmentRange> ranges, WalSegmentState state, string words)
    {
        List<WalSegmentRange> some = [.. ranges.Where(r => r.State == state)];
        if (some.Count == 0)
            return null;
        string names = string.Join(", ", some.Take(Shown)) + (some.Count > Shown ? $" and {Number(some.Count - Shown, "more range", "more ranges")}" : "");
        return $"{Number(some.Sum(r => r.Count), "segment is", "segments are")} {words}: {names}.";
    }

    private static string Number(long count, string one, string many) => string.Create(CultureInfo.InvariantCulture, $"{count:N0} {(count == 1 ? one : many)}");
}
