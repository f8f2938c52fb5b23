namespace PgBackup.Wal.Integrity;

/// <summary>Ranges for people out of runs of numbers.</summary>
internal static class RangeFactory
{
    public static WalSegmentRange Make(ClusterLog log, SegmentRun run, WalSegmentState state, KnownGap? known) => new()
    {
        Timeline = run.Timeline,
        First = WalSegmentName.Of(run.Timeline, run.First, log.SegmentSize),
        Last = WalSegmentName.Of(run.Timeline, run.Last, log.SegmentSize),
        Count = run.Count,
        State = state,
        StartLsn = log.SegmentSize.StartOf(run.First),
        EndLsn = run.PiecesEnd ?? log.SegmentSize.StartOf(run.Last + 1),
        StoredSize = new ByteSize(run.StoredBytes),
        DuplicateCount = run.Duplicates,
        SystemIdentifier = log.SystemIdentifier,
        AcknowledgedBy = known?.By,
        AcknowledgedTime = known?.Time,
        Reason = known?.Reason,
        Repository = log.Repository.Location,
    };

    /// <summary>What was acknowledged of this cluster's log.</summary>
    public static IReadOnlyList<KnownGap> KnownOf(ClusterLog log, IReadOnlyList<KnownGap> known) =>
        [.. known.Where(k => k.SystemIdentifier == (log.SystemIdentifier ?? 0) && k.SegmentSize == log.SegmentSize.Bytes)];
}
