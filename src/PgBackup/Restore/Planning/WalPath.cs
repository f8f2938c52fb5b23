using PgBackup.Postgres.Files;
using PgBackup.Repository;

namespace PgBackup.Restore.Planning;

/// <summary>A stretch of segments without a gap, by number.</summary>
/// <param name="First">The first.</param>
/// <param name="Last">The last; of that one there may be only the beginning, in pieces.</param>
/// <param name="Missing">The segment behind the last one, when the archive holds later ones; null when it ends here.</param>
internal sealed record WalRun(ulong First, ulong Last, WalSegmentName? Missing);

/// <summary>The log as the archive holds it along one timeline's history: which segment recovery would ask for, and which are there.</summary>
internal sealed class WalPath(WalInventory inventory, TimelineHistory history, WalSegmentSize size)
{
    /// <summary>The history.</summary>
    public TimelineHistory History { get; } = history;

    /// <summary>The segment size.</summary>
    public WalSegmentSize Size { get; } = size;

    /// <summary>The segment of a number, of the timeline that recovery takes it from.</summary>
    public WalSegmentName Segment(ulong number) => History.SegmentFor(number, Size);

    /// <summary>The number of the segment that holds a byte.</summary>
    public ulong NumberOf(Lsn lsn) => Size.SegmentNumberOf(lsn);

    /// <summary>The segment that must be there when replay ends at <paramref name="end"/>: that of the byte before.</summary>
    public ulong NumberBefore(Lsn end) => Size.SegmentNumberOf(end.IsZero ? end : end - 1);

    /// <summary>The segments from a number on, as far as they go without a gap, the last one perhaps in pieces; null when the first is not there.</summary>
    public WalRun? RunFrom(ulong first)
    {
        ulong next = first;
        while (IsWhole(next))
            next++;
        bool endsInPieces = inventory.TailOf(Segment(next)) is not null;
        if (next == first && !endsInPieces)
            return null;
        ulong last = endsInPieces ? next : next - 1;
        return new WalRun(first, last, LastNumber() > last ? Segment(endsInPieces ? last : last + 1) : null);
    }

    /// <summary>The first segment that is not there of those from a number on up to <paramref name="end"/>, which the last one, if it is there in pieces only, must reach.</summary>
    public WalSegmentName? FirstMissing(ulong first, Lsn end)
    {
        ulong last = NumberBefore(end);
        for (ulong number = first; number <= last; number++)
        {
            if (!IsWhole(number) && !(number == last && inventory.TailOf(Segment(number)) is { } tail && Size.StartOf(number) + (ulong)tail.Length >= end))
                return Segment(number);
        }
        return null;
    }

    // In one object, or in pieces that hold all of it.
    private bool IsWhole(ulong number) => inventory.Contains(Segment(number)) || inventory.TailOf(Segment(number))?.Length == Size.Bytes;

    /// <summary>The stored bytes of a range.</summary>
    public long StoredBytes(ulong first, ulong last)
    {
        long total = 0;
        for (ulong number = first; number <= last; number++)
            total += inventory.TailOf(Segment(number))?.StoredBytes ?? inventory.SizeOf(Segment(number));
        return total;
    }

    /// <summary>The number of the newest segment along the history; 0 when there is none.</summary>
    public ulong LastNumber()
    {
        ulong last = 0;
        foreach (TimelineSpan span in History.Path)
        {
            if (inventory.NewestOf(span.Timeline, Size) is not { } name)
                continue;
            ulong number = name.NumberFor(Size);
            // What lies behind the point where an ancestor was left does not belong to the path.
            if (span.End is { } end)
                number = Math.Min(number, NumberBefore(end));
            last = Math.Max(last, number);
        }
        return last;
    }
}
