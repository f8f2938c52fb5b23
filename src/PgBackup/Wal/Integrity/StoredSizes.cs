using PgBackup.Codecs;
using PgBackup.Repository;

namespace PgBackup.Wal.Integrity;

/// <summary>What the listing alone tells of objects: that they are empty, or shorter than the segment they would have to be, or pieces without a beginning. No object is opened.</summary>
internal static class StoredSizes
{
    // Whoever stores without moving into place is seen at it.
    private static readonly TimeSpan s_inFlight = TimeSpan.FromMinutes(5);

    public static void Check(PlannedPath planned, WalCheckOptions options, FaultList faults)
    {
        foreach ((ulong first, ulong last) in planned.Ranges(options))
        {
            foreach (SegmentRun run in planned.Path.Scan(first, last))
            {
                if (run.IsThere)
                    CheckRun(planned, run, faults);
            }
        }
        // Deeper levels read them. A listing that is not of one instant may miss a piece, so that this proves nothing.
        foreach (PathTail tail in planned.Path.Tails)
        {
            if (options.Level == WalCheckLevel.Names && tail.Tail.Length == 0 && tail.Number >= planned.First)
                faults.AddSegment(tail.Number, tail.End, "its pieces begin behind a gap, as they were listed. Check again with -Level Content, which reads them.", isFailure: false);
        }
    }

    private static void CheckRun(PlannedPath planned, SegmentRun run, FaultList faults)
    {
        WalSegmentSize size = planned.Log.SegmentSize;
        WalInventory inventory = planned.Log.Inventory;
        bool isPlain = !planned.Log.Repository.IsEncrypted;
        int count = inventory.CountOf(run.Timeline);
        WalSegmentName? before = null;
        for (int place = inventory.PlaceOf(WalSegmentName.Of(run.Timeline, run.First, size)); place < count; place++)
        {
            WalSegmentName segment = inventory.At(run.Timeline, place);
            if (segment.NumberFor(size) is var number && number > run.Last)
                return;
            // Of several objects the first one is what a restore takes.
            if (segment == before)
                continue;
            before = segment;
            long stored = inventory.SizeAt(run.Timeline, place);
            bool isShort = isPlain && inventory.MethodAt(run.Timeline, place) == CompressionMethod.None && stored < size.Bytes;
            if (stored > 0 && !isShort)
                continue;
            bool isInFlight = number == planned.Path.LastNumber && DateTimeOffset.UtcNow - inventory.StoredTimeAt(run.Timeline, place) < s_inFlight;
            faults.AddSegment(number, size.StartOf(number), stored == 0 ? "it is empty." : $"it has {stored} bytes, a segment has {size.Bytes}.", isFailure: !isInFlight);
        }
    }
}
