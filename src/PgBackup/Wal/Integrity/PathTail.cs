using PgBackup.Postgres.Files;
using PgBackup.Repository;

namespace PgBackup.Wal.Integrity;

/// <summary>A segment of a path that is not there whole, but in pieces, which a restore puts together.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Tail">What there is of it.</param>
/// <param name="End">Up to where the pieces hold the path's log, by their names.</param>
internal sealed record PathTail(ulong Number, WalTail Tail, Lsn End)
{
    /// <summary>The segment.</summary>
    public WalSegmentName Segment => Tail.Segment;

    /// <summary>
    /// Those along a history, in order. Pieces that do not hold all of a segment are the end of the path or nothing: with more of the log behind they are a gap.
    /// </summary>
    /// <param name="inventory">What is there.</param>
    /// <param name="history">The timelines.</param>
    /// <param name="size">The segment size.</param>
    /// <param name="last">The number of the newest whole segment; null when there is none.</param>
    /// <param name="mayStandIn">Whether a parent's segment may end the path.</param>
    public static IReadOnlyList<PathTail> Find(WalInventory inventory, TimelineHistory history, WalSegmentSize size, ulong? last, bool mayStandIn)
    {
        var found = new List<PathTail>();
        foreach (WalTail tail in inventory.Tails)
        {
            if (LogPath.IsPossible(tail.Segment, size) && tail.Segment.NumberFor(size) is var number && history.SegmentFor(number, size) == tail.Segment)
                found.Add(new PathTail(number, tail, EndOf(tail, size)));
        }
        foreach (TimelineSpan span in history.Path)
        {
            if (!mayStandIn || span.End is not { } end || end.IsZero)
                continue;
            ulong number = size.SegmentNumberOf(end - 1);
            var left = WalSegmentName.Of(span.Timeline, number, size);
            if (!(last >= number) && !found.Exists(t => t.Number >= number) && inventory.TailOf(left) is { } tail)
                found.Add(new PathTail(number, tail, EndOf(tail, size) is var held && held < end ? held : end));
        }
        found.Sort((a, b) => a.Number.CompareTo(b.Number));
        for (int i = found.Count - 1; i >= 0; i--)
        {
            if (found[i].Tail.Length < size.Bytes && (i < found.Count - 1 || last >= found[i].Number))
                found.RemoveAt(i);
        }
        return found;
    }

    /// <summary>Up to where pieces hold a segment without a gap.</summary>
    public static Lsn EndOf(WalTail tail, WalSegmentSize size) => tail.Segment.StartFor(size) + (ulong)tail.Length;
}
