using PgBackup.Errors;
using PgBackup.Postgres.Files;

namespace PgBackup.Wal.Integrity;

/// <summary>A path that is checked, and from where to where.</summary>
/// <param name="Log">The cluster's log.</param>
/// <param name="Path">The log along the timeline's history.</param>
/// <param name="First">The number of the oldest segment that must be there.</param>
/// <param name="Last">The number of the newest.</param>
/// <param name="Backups">The backups that can be rolled forward along it.</param>
/// <param name="IsCurrent">Whether the cluster goes on here.</param>
/// <param name="IsAsked">Whether every segment counts: on the current timeline, and on one that was asked for.</param>
internal sealed record PlannedPath(ClusterLog Log, LogPath Path, ulong First, ulong Last, IReadOnlyList<ClusterBackup> Backups, bool IsCurrent, bool IsAsked)
{
    /// <summary>The number of the newest segment that the server has finished; null when none was asked, or it is elsewhere.</summary>
    public ulong? Finished { get; init; }

    /// <summary>The server, where it is on a timeline of which the archive holds nothing at all, and this is the path to the newest that it holds.</summary>
    public ServerPosition? ServerElsewhere { get; init; }

    /// <summary>
    /// What is looked into, in order: the path, and before it the log that each permanent backup needs for itself; not where the caller has said from where on, or how much.
    /// </summary>
    public IReadOnlyList<(ulong First, ulong Last)> Ranges(WalCheckOptions options)
    {
        var ranges = new List<(ulong First, ulong Last)>();
        if (options is { From: null, Backup: null, Newest: null, Since: null })
        {
            foreach (ClusterBackup backup in Backups)
            {
                ulong from = Log.SegmentSize.SegmentNumberOf(backup.StartLsn!.Value), to = Path.NumberBefore(backup.FinishLsn!.Value);
                if (ranges.Count > 0)
                    from = Math.Max(from, ranges[^1].Last + 1);
                if (from < First && from <= to)
                    ranges.Add((from, Math.Min(to, First - 1)));
            }
        }
        ranges.Add((First, Last));
        return ranges;
    }
}

/// <summary>Which paths are checked: that of each cluster's current timeline, and of every other timeline as far as backups on it need it.</summary>
internal static class CheckPlan
{
    public static IReadOnlyList<PlannedPath> Make(IReadOnlyList<ClusterLog> logs, WalCheckOptions options, string location)
    {
        if (logs.Count == 0)
            throw PgErrors.WalArchiveEmpty(location);
        if (options.Server is { } server && !logs.Any(l => IsOf(l, server)))
            throw PgErrors.WalServerForeign(location, server.Server, server.SystemIdentifier);
        if (options.Backup is { } name)
            return [FromBackup(logs, name, options, location)];
        var plan = new List<PlannedPath>();
        // A position is one of the newest cluster's log.
        foreach (ClusterLog log in options.From is null ? logs : logs.Skip(logs.Count - 1))
        {
            if (options.Timeline is { } asked)
            {
                if (log.Timelines().Contains(asked) && Plan(log, asked, true, options) is { } one)
                    plan.Add(one);
                continue;
            }
            PlannedPath? current = PlanCurrent(log, options);
            if (current is not null)
                plan.Add(current);
            if (options.From is null)
                plan.AddRange(Others(log, current, options));
        }
        if (plan.Count == 0 && options.Timeline is { } missing)
            throw PgErrors.WalTimelineNotFound(location, missing);
        return plan;
    }

    /// <summary>Where the cluster goes on: where the server is, else on the newest timeline of which the archive holds more than a history file.</summary>
    public static TimelineId CurrentOf(ClusterLog log, ServerPosition? server) =>
        server is not null && IsOf(log, server) ? server.Timeline : log.Timelines().First(log.IsAlive);

    private static bool IsOf(ClusterLog log, ServerPosition server) => log.SystemIdentifier is null || log.SystemIdentifier == server.SystemIdentifier;

    // After a promotion the history file is the first that is archived. Where even that is missing, nothing leads to where the server is.
    private static PlannedPath? PlanCurrent(ClusterLog log, WalCheckOptions options)
    {
        TimelineId current = CurrentOf(log, options.Server);
        if (log.Timelines().Contains(current))
            return Plan(log, current, true, options);
        PlannedPath? newest = Plan(log, CurrentOf(log, null), true, options with { Server = null });
        return newest is null ? null : newest with { ServerElsewhere = options.Server };
    }

    private static PlannedPath FromBackup(IReadOnlyList<ClusterLog> logs, string name, WalCheckOptions options, string location)
    {
        foreach (ClusterLog log in logs)
        {
            if (log.Backups.FirstOrDefault(b => b.Name == name) is not { } backup)
                continue;
            TimelineId timeline = options.Timeline ?? CurrentOf(log, options.Server);
            if (!log.HistoryOf(timeline).Includes(backup.Timeline, backup.FinishLsn!.Value))
                timeline = backup.Timeline;
            return Plan(log, timeline, true, options, options.From?.NumberFor(log.SegmentSize) ?? log.SegmentSize.SegmentNumberOf(backup.StartLsn!.Value))!;
        }
        throw PgErrors.BackupNotFound(name, location);
    }

    private static IEnumerable<PlannedPath> Others(ClusterLog log, PlannedPath? current, WalCheckOptions options)
    {
        HashSet<string> covered = [.. current?.Backups.Select(b => b.Name) ?? []];
        foreach (TimelineId timeline in log.Timelines())
        {
            TimelineHistory history = log.HistoryOf(timeline);
            ClusterBackup[] needing = [.. log.BackupsOn(history).Where(b => !covered.Contains(b.Name))];
            if (!needing.Any(b => b.Timeline == timeline))
                continue;
            covered.UnionWith(needing.Select(b => b.Name));
            ulong first = log.SegmentSize.SegmentNumberOf(needing.Where(b => !b.IsPermanent).Concat(needing).First().StartLsn!.Value);
            yield return Plan(log, timeline, false, options, first)!;
        }
    }

    private static PlannedPath? Plan(ClusterLog log, TimelineId timeline, bool isAsked, WalCheckOptions options, ulong? first = null)
    {
        TimelineHistory history = log.HistoryOf(timeline);
        ServerPosition? server = options.Server is { } asked && IsOf(log, asked) && asked.Timeline == timeline ? asked : null;
        ulong? finished = server is not null && log.SegmentSize.SegmentNumberOf(server.Lsn) is > 0 and var unfinished ? unfinished - 1 : null;
        // The new timeline's first segment must be there as soon as the server has finished it.
        ulong? begin = history.Switches.Count > 0 ? log.SegmentSize.SegmentNumberOf(history.Switches[^1].SwitchPoint) : null;
        var path = new LogPath(log.Inventory, history, log.SegmentSize, mayStandIn: !(finished >= begin));
        IReadOnlyList<ClusterBackup> backups = log.BackupsOn(history);
        first ??= options.From?.NumberFor(log.SegmentSize);
        if (first is null && backups.Count > 0)
            first = log.SegmentSize.SegmentNumberOf(backups.Where(b => !b.IsPermanent).Concat(backups).First().StartLsn!.Value);
        first ??= path.FirstNumber;
        ulong? last = backups.Count == 0 ? null : backups.Max(b => path.NumberBefore(b.FinishLsn!.Value));
        foreach (ulong? border in (ReadOnlySpan<ulong?>)[path.HeldNumber, finished])
        {
            if (border is not null && !(last >= border))
                last = border;
        }
        if (first is null || last is null)
            return null;
        if (first > last)
        {
            // Without a position it is a server that has not finished its first segment.
            return options.From is { } from ? throw PgErrors.WalRangeInvalid(from.ToString(), path.Segment(last.Value).ToString()) : null;
        }
        return new PlannedPath(log, path, first.Value, last.Value, backups, timeline == CurrentOf(log, options.Server), isAsked) { Finished = finished };
    }
}
