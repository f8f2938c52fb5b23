using PgBackup.Postgres.Files;
using PgBackup.Postgres.Replication;
using PgBackup.Repository;

namespace PgBackup.Wal.Receiving;

/// <summary>Finds the segment to begin with: the first one that the repository does not hold whole.</summary>
internal static class ReceiveStart
{
    /// <summary>
    /// Behind the last whole segment of the newest timeline, on the way to the server's, of which there is anything; where a segment that the slot still keeps is missing before
    /// that, with it. In a repository that holds nothing of the cluster's timelines: where the slot keeps WAL from, else where the server writes.
    /// </summary>
    public static WalSegmentName Find(TimelineHistory history, WalInventory inventory, PhysicalSlot? slot, Lsn served, WalSegmentSize size)
    {
        for (int i = history.Path.Count - 1; i >= 0; i--)
        {
            TimelineSpan span = history.Path[i];
            if (inventory.NewestOf(span.Timeline, size) is not { } newest)
                continue;
            ulong next = inventory.LastOf(span.Timeline, size) is { } last ? last.NumberFor(size) + 1 : newest.NumberFor(size);
            if (FirstMissing(history, i, inventory, slot, next, size) is { } hole)
                return hole;
            return span.End is { } end && size.StartOf(next) >= end
                ? WalSegmentName.Containing(history.Path[i + 1].Timeline, end, size)
                : WalSegmentName.Of(span.Timeline, next, size);
        }
        return Fresh(history, slot, served, size);
    }

    /// <summary>The segment from which the server has everything, whatever the repository holds.</summary>
    public static WalSegmentName Fresh(TimelineHistory history, PhysicalSlot? slot, Lsn served, WalSegmentSize size)
    {
        Lsn start = slot?.RestartLsn ?? served;
        TimelineId timeline = slot is { RestartLsn: not null, Timeline: { } told } && history.Contains(told) ? told : history.TimelineAt(start);
        return WalSegmentName.Containing(timeline, start, size);
    }

    // Pushers that work side by side may have been killed in the wrong order, and a server that was promoted archives its timeline before its parent's end was received.
    private static WalSegmentName? FirstMissing(TimelineHistory history, int reached, WalInventory inventory, PhysicalSlot? slot, ulong next, WalSegmentSize size)
    {
        ulong? from = slot?.RestartLsn is { } kept ? size.SegmentNumberOf(kept) : LastOfAncestors(history, reached, inventory, size) + 1;
        for (ulong number = from ?? next; number < next; number++)
        {
            WalSegmentName segment = history.SegmentFor(number, size);
            if (!inventory.Contains(segment))
                return segment;
        }
        return null;
    }

    /// <summary>The newest whole segment of the nearest ancestor that has any, before the point where it was left.</summary>
    private static ulong? LastOfAncestors(TimelineHistory history, int reached, WalInventory inventory, WalSegmentSize size)
    {
        for (int i = reached - 1; i >= 0; i--)
        {
            var left = WalSegmentName.Containing(history.Path[i].Timeline, history.Path[i].End!.Value, size);
            int before = inventory.PlaceOf(left) - 1;
            if (before >= 0)
                return inventory.At(left.Timeline, before).NumberFor(size);
        }
        return null;
    }
}
