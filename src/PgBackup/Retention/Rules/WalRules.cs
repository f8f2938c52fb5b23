namespace PgBackup.Retention.Rules;

/// <summary>
/// Judges the segments of one cluster: all since the backups from which one can go on stay, on every timeline that leads on from one of them; of each other kept backup those of its own start and
/// finish; and what was archived in the buffer before.
/// </summary>
internal sealed class WalRules
{
    // A store's clock may be ahead of ours.
    private static readonly TimeSpan s_clockGrain = TimeSpan.FromMinutes(5);

    private readonly ClusterLog _log;
    private readonly GroupVerdict _verdict;
    private readonly DateTimeOffset _now;
    private readonly DateTimeOffset? _bufferFrom;
    private readonly string _bufferReason;
    private readonly Dictionary<TimelineId, Threshold?> _thresholds = [];
    private readonly Dictionary<TimelineId, List<OwnLog>> _ownLogs;

    public WalRules(ClusterLog log, GroupVerdict verdict, RetentionPolicy policy, DateTimeOffset now)
    {
        (_log, _verdict, _now) = (log, verdict, now);
        DateTimeOffset? oldest = verdict.Continuous.Min(static b => b.StartTime);
        _bufferFrom = oldest is { } time ? Subtract(time, policy.WalBuffer) : null;
        _bufferReason = $"archived within {RetentionText.Span(policy.WalBuffer)} before the oldest backup that needs WAL";
        _ownLogs = verdict.Kept.Where(static b => b.StartLsn is not null && b.FinishLsn is not null).GroupBy(static b => b.Timeline)
            .ToDictionary(static g => g.Key, g => g.Select(b => new OwnLog(
                log.SegmentSize.SegmentNumberOf(b.StartLsn!.Value), log.SegmentSize.SegmentNumberOf(b.FinishLsn!.Value), $"start to finish of {b.Name}")).OrderBy(static o => o.First).ToList());
        foreach (List<OwnLog> logs in _ownLogs.Values)
        {
            ulong longest = 0;
            foreach (OwnLog own in logs)
                own.LongestBefore = longest = Math.Max(longest, own.Last);
        }
    }

    /// <summary>Whether a segment stays, and why; the same text for all segments of one reason.</summary>
    /// <param name="segment">The segment.</param>
    /// <param name="stored">When it was stored, cut to the minute.</param>
    public (bool Keep, string Reason) Judge(WalSegmentName segment, DateTimeOffset stored)
    {
        if (_verdict.Continuous.Count == 0)
            return (true, "its cluster has no complete backup here");
        ulong number = segment.NumberFor(_log.SegmentSize);
        Threshold? threshold = ThresholdOf(segment.Timeline);
        if (threshold is { } from && number >= from.Segment)
            return (true, from.Reason);
        if (OwnLogOf(segment.Timeline, number) is { } own)
            return (true, own);
        if (stored > _now + s_clockGrain)
            return (true, "dated after now");
        if (stored.AddMinutes(1) >= _bufferFrom)
            return (true, _bufferReason);
        return (false, threshold is { } later ? later.RemovedReason : "no kept backup leads to it");
    }

    /// <summary>The lowest timeline of a kept backup; null when none is kept.</summary>
    public TimelineId? LowestTimeline => _verdict.Kept.Count == 0 ? null : _verdict.Kept.Min(static b => b.Timeline);

    private string? OwnLogOf(TimelineId timeline, ulong number)
    {
        if (!_ownLogs.TryGetValue(timeline, out List<OwnLog>? logs))
            return null;
        // Backups of one cluster hardly overlap; those that do are neighbours by their start.
        int low = 0, high = logs.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (logs[middle].First <= number)
                low = middle + 1;
            else
                high = middle;
        }
        for (int i = low - 1; i >= 0; i--)
        {
            if (logs[i].Last >= number)
                return logs[i].Reason;
            if (logs[i].LongestBefore < number)
                return null;
        }
        return null;
    }

    private Threshold? ThresholdOf(TimelineId timeline)
    {
        if (_thresholds.TryGetValue(timeline, out Threshold? known))
            return known;
        RetentionBackup? first = _verdict.Continuous
            .Where(b => b is { StartLsn: not null, FinishLsn: not null } && _log.LeadsTo(b.Timeline, b.FinishLsn.Value, timeline))
            .MinBy(static b => b.StartLsn!.Value);
        Threshold? found = first is null ? null : new Threshold(
            _log.SegmentSize.SegmentNumberOf(first.StartLsn!.Value), $"needed to go on from {first.Name}", $"older than {first.Name}, the oldest backup that needs it");
        _thresholds[timeline] = found;
        return found;
    }

    private static DateTimeOffset Subtract(DateTimeOffset time, TimeSpan span) => time - DateTimeOffset.MinValue > span ? time - span : DateTimeOffset.MinValue;

    private sealed record Threshold(ulong Segment, string Reason, string RemovedReason);

    private sealed record OwnLog(ulong First, ulong Last, string Reason)
    {
        /// <summary>The last segment that this one or any before it reaches; set when all are known.</summary>
        public ulong LongestBefore { get; set; }
    }
}
