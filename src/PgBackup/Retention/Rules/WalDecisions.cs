using System.Globalization;
using PgBackup.Repository;

namespace PgBackup.Retention.Rules;

/// <summary>Puts what the rules of each cluster say together: what may be anybody's goes only when nobody needs it.</summary>
internal static class WalDecisions
{
    private const string NoOwner = "its cluster has no backup here";

    public static List<RetentionDecision> Of(ArchiveFacts archive, IReadOnlyList<(ClusterLog Log, WalRules Rules)> clusters)
    {
        var decisions = new List<RetentionDecision>();
        TimelineId? lowest = null;
        foreach (TimelineId timeline in archive.Inventory.Timelines)
            AddRuns(archive.Inventory, timeline, clusters, decisions, ref lowest);
        foreach ((_, WalRules rules) in clusters)
        {
            if (rules.LowestTimeline is { } own && (lowest is null || own < lowest))
                lowest = own;
        }
        foreach (TimelineId timeline in archive.Inventory.Histories)
        {
            // A server that looks for the newest timeline counts up from its own, and stops at the first number without a file: none may be missing in between.
            bool isKept = clusters.Count == 0 || lowest is null || timeline >= lowest;
            decisions.Add(new RetentionDecision
            {
                Name = timeline.HistoryFileName,
                Kind = RetentionItemKind.TimelineHistory,
                Group = "WAL",
                Action = isKept ? RetentionAction.Keep : RetentionAction.Remove,
                Reasons = [isKept
                    ? clusters.Count == 0 ? NoOwner : string.Create(CultureInfo.InvariantCulture, $"timeline {lowest?.Value ?? 1} and those after it are needed")
                    : string.Create(CultureInfo.InvariantCulture, $"nothing older than timeline {lowest!.Value.Value} is kept")],
            });
        }
        return decisions;
    }

    private static void AddRuns(
        WalInventory inventory, TimelineId timeline, IReadOnlyList<(ClusterLog Log, WalRules Rules)> clusters, List<RetentionDecision> decisions, ref TimelineId? lowest)
    {
        int count = inventory.CountOf(timeline), first = 0;
        long bytes = 0;
        (bool Keep, string Reason, string Group) run = default;
        for (int place = 0; place < count; place++)
        {
            (bool Keep, string Reason, string Group) verdict = Judge(inventory, timeline, place, clusters);
            if (verdict.Keep && (lowest is null || timeline < lowest))
                lowest = timeline;
            bool goesOn = place > 0 && verdict == run && Follows(inventory.At(timeline, place - 1), inventory.At(timeline, place), clusters);
            if (!goesOn)
            {
                if (place > 0)
                    decisions.Add(Run(inventory, timeline, first, place - 1, bytes, run));
                (first, bytes, run) = (place, 0, verdict);
            }
            bytes += inventory.SizeAt(timeline, place);
        }
        if (count > 0)
            decisions.Add(Run(inventory, timeline, first, count - 1, bytes, run));
    }

    private static (bool Keep, string Reason, string Group) Judge(WalInventory inventory, TimelineId timeline, int place, IReadOnlyList<(ClusterLog Log, WalRules Rules)> clusters)
    {
        (bool, string, string)? removed = null;
        foreach ((ClusterLog log, WalRules rules) in clusters)
        {
            if (!log.Owns(timeline, place))
                continue;
            (bool keep, string reason) = rules.Judge(inventory.At(timeline, place), inventory.StoredTimeAt(timeline, place));
            string group = GroupOf(log);
            if (keep)
                return (true, reason, group);
            removed ??= (false, reason, group);
        }
        return removed ?? (true, NoOwner, "WAL");
    }

    private static string GroupOf(ClusterLog log) => log.SystemIdentifier is { } cluster ? WalGroups.NameOf(cluster) : "WAL";

    // A run with a hole is told as two. Of several sizes of segments any will do: what is no neighbour by the one is none by the other, but at the end of a log id.
    private static bool Follows(WalSegmentName one, WalSegmentName next, IReadOnlyList<(ClusterLog Log, WalRules Rules)> clusters) =>
        one == next || clusters.Count == 0 || clusters.Any(c => one.NextFor(c.Log.SegmentSize) == next);

    private static RetentionDecision Run(WalInventory inventory, TimelineId timeline, int first, int last, long bytes, (bool Keep, string Reason, string Group) verdict) => new()
    {
        Name = inventory.At(timeline, first).ToString(),
        LastSegment = inventory.At(timeline, last).ToString(),
        Kind = RetentionItemKind.Wal,
        Group = verdict.Group,
        Action = verdict.Keep ? RetentionAction.Keep : RetentionAction.Remove,
        Reasons = [verdict.Reason],
        Size = new ByteSize(bytes),
        Count = last - first + 1,
        Stretch = new WalStretch(timeline, first, last),
    };
}

/// <summary>Names of groups of WAL, made once: there may be a million segments.</summary>
internal static class WalGroups
{
    private static readonly System.Collections.Concurrent.ConcurrentDictionary<ulong, string> s_names = new();

    public static string NameOf(ulong cluster) => s_names.GetOrAdd(cluster, static number => string.Create(CultureInfo.InvariantCulture, $"cluster {number}"));
}
