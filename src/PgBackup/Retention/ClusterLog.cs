using PgBackup.Postgres.Files;
using PgBackup.Repository;

namespace PgBackup.Retention;

/// <summary>The WAL of one cluster, as far as the archive's names and history files tell of it.</summary>
/// <param name="SystemIdentifier">The cluster; null for backups that do not say, to which any WAL may belong.</param>
/// <param name="SegmentSize">The size of its segments.</param>
/// <param name="Histories">Its history files; without one, a timeline behind the first may descend from any that is older.</param>
/// <param name="Owns">Whether the segment at a place of a timeline may be its own.</param>
internal sealed record ClusterLog(
    ulong? SystemIdentifier, WalSegmentSize SegmentSize, IReadOnlyDictionary<TimelineId, TimelineHistory> Histories, Func<TimelineId, int, bool> Owns)
{
    /// <summary>Whether recovery along a timeline can begin at a place of another.</summary>
    public bool LeadsTo(TimelineId from, Lsn at, TimelineId timeline) =>
        from == timeline || (Histories.TryGetValue(timeline, out TimelineHistory? history) ? history.Includes(from, at) : timeline != TimelineId.First && from < timeline);
}

/// <summary>The archive, and whose log is in it.</summary>
/// <param name="Inventory">Its names.</param>
/// <param name="Logs">The clusters that have backups.</param>
internal sealed record ArchiveFacts(WalInventory Inventory, IReadOnlyList<ClusterLog> Logs);
