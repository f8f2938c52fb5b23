using PgBackup.Repository;

namespace PgBackup.Retention.Rules;

/// <summary>On which of a cluster's timelines something happened of late.</summary>
internal sealed class WindowTimelines(ClusterLog log, WalInventory inventory, IReadOnlyList<RetentionBackup> backups)
{
    /// <summary>The timelines that have WAL or backups since then. A time that the store told is cut to the minute.</summary>
    public IEnumerable<TimelineId> AliveSince(DateTimeOffset time)
    {
        var timelines = backups.Where(b => b.IsGood && (b.FinishTime ?? b.StartTime) >= time).Select(static b => b.Timeline).ToHashSet();
        foreach (TimelineId timeline in inventory.Timelines)
        {
            // The newest by its name was mostly the last that was stored; a retry may have come later.
            for (int place = inventory.CountOf(timeline) - 1; place >= 0 && !timelines.Contains(timeline); place--)
            {
                if (log.Owns(timeline, place) && inventory.StoredTimeAt(timeline, place).AddMinutes(1) >= time)
                    timelines.Add(timeline);
            }
        }
        return timelines;
    }

    /// <summary>Whether recovery along the timeline can begin from the backup.</summary>
    public bool LeadsTo(RetentionBackup backup, TimelineId timeline) => backup.FinishLsn is { } finish && log.LeadsTo(backup.Timeline, finish, timeline);
}
