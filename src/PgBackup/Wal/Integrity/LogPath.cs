using PgBackup.Postgres.Files;
using PgBackup.Repository;

namespace PgBackup.Wal.Integrity;

/// <summary>Segments of one timeline, by number, that are all there or all missing.</summary>
internal readonly record struct SegmentRun(TimelineId Timeline, ulong First, ulong Last, bool IsThere, long StoredBytes, long Duplicates)
{
    /// <summary>Of one that is there in pieces: up to where they hold it; null for the others.</summary>
    public Lsn? PiecesEnd { get; init; }

    public long Count => (long)(Last - First + 1);
}

/// <summary>
/// The log along one timeline's history: which segment recovery asks for at each number, and which of them are there. Walks what is there and never
/// the numbers, so that neither a million segments nor a gap of a billion takes long.
/// </summary>
internal sealed class LogPath
{
    private readonly WalInventory _inventory;
    private readonly List<Leg> _legs = [];

    /// <param name="inventory">What is there.</param>
    /// <param name="history">The timelines.</param>
    /// <param name="size">The segment size.</param>
    /// <param name="mayStandIn">Whether a parent's segment may end the path; not when the new timeline is known to have finished its own.</param>
    public LogPath(WalInventory inventory, TimelineHistory history, WalSegmentSize size, bool mayStandIn = true)
    {
        _inventory = inventory;
        History = history;
        Size = size;
        for (int i = 0; i < history.Path.Count; i++)
        {
            // A segment with a switch point is taken from the new timeline; of two switches in one segment, from the second one's.
            ulong first = i == 0 ? 0 : size.SegmentNumberOf(history.Path[i].Start);
            ulong next = i + 1 < history.Path.Count ? size.SegmentNumberOf(history.Path[i + 1].Start) : ulong.MaxValue;
            if (next > first)
                _legs.Add(new Leg(history.Path[i].Timeline, first, next - 1));
        }
        LastNumber = FindLast(mayStandIn);
        Tails = PathTail.Find(inventory, history, size, LastNumber, mayStandIn);
    }

    /// <summary>The history.</summary>
    public TimelineHistory History { get; }

    /// <summary>The segment size.</summary>
    public WalSegmentSize Size { get; }

    /// <summary>The number of the oldest segment that is there; null when none is.</summary>
    public ulong? FirstNumber
    {
        get
        {
            foreach (Leg leg in _legs)
            {
                if (NextPlace(leg.Timeline, leg.First) is { } place && NumberAt(leg.Timeline, place) is var number && number <= leg.Last)
                    return number;
            }
            return LastNumber ?? (Tails.Count > 0 ? Tails[0].Number : null);
        }
    }

    /// <summary>The number of the newest segment that is there whole; null when none is.</summary>
    public ulong? LastNumber { get; }

    /// <summary>The segments that are there in pieces, in order: as a rule the one behind the newest whole one.</summary>
    public IReadOnlyList<PathTail> Tails { get; }

    /// <summary>The number of the newest segment that is there, whole or in pieces; null when none is.</summary>
    public ulong? HeldNumber => Tails.Count > 0 && !(LastNumber > Tails[^1].Number) ? Tails[^1].Number : LastNumber;

    /// <summary>
    /// The timeline whose segment ends the path, where the new timeline's first segment is not archived yet and its parent's holds the part before the switch; null where none
    /// stands in.
    /// </summary>
    public TimelineId? StandIn { get; private set; }

    /// <summary>The segment of a number, of the timeline that recovery takes it from.</summary>
    public WalSegmentName Segment(ulong number) =>
        TailAt(number) is { } tail ? tail.Segment : StandIn is { } parent && number == LastNumber ? WalSegmentName.Of(parent, number, Size) : History.SegmentFor(number, Size);

    /// <summary>What there is in pieces of a segment that is not there whole; null when nothing is.</summary>
    public PathTail? TailAt(ulong number)
    {
        foreach (PathTail tail in Tails)
        {
            if (tail.Number == number)
                return tail;
        }
        return null;
    }

    /// <summary>Whether the segment of a number is a parent's that stands in.</summary>
    public bool StandsIn(ulong number) => Segment(number).Timeline != History.SegmentFor(number, Size).Timeline;

    /// <summary>The number of the segment that must be there when replay ends at <paramref name="end"/>: that of the byte before.</summary>
    public ulong NumberBefore(Lsn end) => Size.SegmentNumberOf(end.IsZero ? end : end - 1);

    /// <summary>The place of a segment in the inventory; null when it is not there.</summary>
    public int? PlaceOf(ulong number)
    {
        WalSegmentName segment = Segment(number);
        return _inventory.Contains(segment) ? _inventory.PlaceOf(segment) : null;
    }

    /// <summary>What is there and what is missing of the segments from <paramref name="first"/> to <paramref name="last"/>, in order; cut where the timeline changes.</summary>
    public IEnumerable<SegmentRun> Scan(ulong first, ulong last)
    {
        foreach (SegmentRun run in ScanWhole(first, last))
        {
            if (run.IsThere || Tails.Count == 0)
            {
                yield return run;
                continue;
            }
            foreach (SegmentRun part in CutAtTails(run))
                yield return part;
        }
    }

    private IEnumerable<SegmentRun> CutAtTails(SegmentRun missing)
    {
        ulong next = missing.First;
        foreach (PathTail tail in Tails)
        {
            if (tail.Number < next || tail.Number > missing.Last)
                continue;
            if (tail.Number > next)
                yield return missing with { First = next, Last = tail.Number - 1 };
            yield return new SegmentRun(tail.Segment.Timeline, tail.Number, tail.Number, false, tail.Tail.StoredBytes, 0) { PiecesEnd = tail.End };
            next = tail.Number + 1;
        }
        if (next <= missing.Last)
            yield return missing with { First = next };
    }

    private IEnumerable<SegmentRun> ScanWhole(ulong first, ulong last)
    {
        // A stand-in is of the parent's timeline, as what comes before it may be.
        SegmentRun? open = null;
        foreach (SegmentRun run in ScanLegs(first, last))
        {
            if (open is { } before && before.Timeline == run.Timeline && before.IsThere == run.IsThere && before.Last + 1 == run.First)
            {
                open = before with { Last = run.Last, StoredBytes = before.StoredBytes + run.StoredBytes, Duplicates = before.Duplicates + run.Duplicates };
                continue;
            }
            if (open is { } done)
                yield return done;
            open = run;
        }
        if (open is { } rest)
            yield return rest;
    }

    private IEnumerable<SegmentRun> ScanLegs(ulong first, ulong last)
    {
        foreach (Leg leg in _legs)
        {
            ulong from = Math.Max(leg.First, first), to = Math.Min(leg.Last, last);
            if (from > to)
                continue;
            bool standsIn = StandIn is not null && to == LastNumber && leg.First <= to;
            if (standsIn && from == to)
            {
                yield return Tail(to);
                continue;
            }
            foreach (SegmentRun run in ScanTimeline(_inventory, leg.Timeline, from, standsIn ? to - 1 : to, Size))
                yield return run;
            if (standsIn)
                yield return Tail(to);
        }
    }

    /// <summary>The same of one timeline, whatever its history.</summary>
    public static IEnumerable<SegmentRun> ScanTimeline(WalInventory inventory, TimelineId timeline, ulong first, ulong last, WalSegmentSize size)
    {
        int count = inventory.CountOf(timeline);
        ulong next = first; // The first number that nothing was said of yet.
        ulong start = 0;
        bool open = false;
        long bytes = 0, duplicates = 0;
        for (int place = count == 0 ? 0 : inventory.PlaceOf(WalSegmentName.Of(timeline, first, size)); place < count; place++)
        {
            WalSegmentName segment = inventory.At(timeline, place);
            if (!IsPossible(segment, size))
                continue;
            ulong number = segment.NumberFor(size);
            if (number > last)
                break;
            if (open && number == next - 1)
            {
                duplicates++;
                continue;
            }
            if (open && number != next)
            {
                yield return new SegmentRun(timeline, start, next - 1, true, bytes, duplicates);
                open = false;
            }
            if (number > next)
                yield return new SegmentRun(timeline, next, number - 1, false, 0, 0);
            if (!open)
                (open, start, bytes, duplicates) = (true, number, 0, 0);
            bytes += inventory.SizeAt(timeline, place);
            next = number + 1;
        }
        if (open)
            yield return new SegmentRun(timeline, start, next - 1, true, bytes, duplicates);
        if (next <= last)
            yield return new SegmentRun(timeline, next, last, false, 0, 0);
    }

    /// <summary>False for a name that no segment of the cluster has: with 16 MB the last eight digits stay below 256.</summary>
    public static bool IsPossible(WalSegmentName segment, WalSegmentSize size) => segment.Segment < size.SegmentsPerLogId;

    private SegmentRun Tail(ulong number)
    {
        WalSegmentName segment = WalSegmentName.Of(StandIn!.Value, number, Size);
        return new SegmentRun(segment.Timeline, number, number, true, _inventory.SizeOf(segment), 0);
    }

    private ulong? FindLast(bool mayStandIn)
    {
        ulong? last = null;
        foreach (Leg leg in _legs)
        {
            if (PreviousPlace(leg.Timeline, leg.Last) is { } place && NumberAt(leg.Timeline, place) is var number && number >= leg.First && !(last >= number))
                last = number;
        }
        foreach (TimelineSpan span in History.Path)
        {
            if (!mayStandIn || span.End is not { } end)
                continue;
            ulong number = NumberBefore(end);
            if (last >= number || !_inventory.Contains(WalSegmentName.Of(span.Timeline, number, Size)) || _inventory.TailOf(History.SegmentFor(number, Size)) is not null)
                continue;
            last = number;
            StandIn = span.Timeline;
        }
        return last;
    }

    private ulong NumberAt(TimelineId timeline, int place) => _inventory.At(timeline, place).NumberFor(Size);

    private int? NextPlace(TimelineId timeline, ulong number)
    {
        for (int place = _inventory.PlaceOf(WalSegmentName.Of(timeline, number, Size)); place < _inventory.CountOf(timeline); place++)
        {
            if (IsPossible(_inventory.At(timeline, place), Size))
                return place;
        }
        return null;
    }

    private int? PreviousPlace(TimelineId timeline, ulong number)
    {
        // The newest leg has no end, and its last number no name.
        int place = number >= ulong.MaxValue - 1 || number / Size.SegmentsPerLogId > uint.MaxValue
            ? _inventory.CountOf(timeline)
            : _inventory.PlaceOf(WalSegmentName.Of(timeline, number + 1, Size));
        while (--place >= 0)
        {
            if (IsPossible(_inventory.At(timeline, place), Size))
                return place;
        }
        return null;
    }

    /// <summary>The numbers whose segments are of one timeline.</summary>
    private readonly record struct Leg(TimelineId Timeline, ulong First, ulong Last);
}
