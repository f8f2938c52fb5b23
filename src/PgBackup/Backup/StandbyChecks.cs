using PgBackup.Errors;
using PgBackup.Postgres.Files;

namespace PgBackup.Backup;

/// <summary>
/// What is different when a backup is taken from a standby: it begins at the last restartpoint and ends at the least point that recovery must reach, both out of the control
/// file (PostgreSQL source: xlog.c, "do_pg_backup_start" and "do_pg_backup_stop"), and its WAL is archived by another server.
/// </summary>
internal static class StandbyChecks
{
    /// <summary>What ends the wait for the last segment, for warnings and errors.</summary>
    public const string ArchiveHint =
        "This server is a standby: its primary archives a segment when it is full, and SELECT pg_switch_wal() on the primary ends the wait.";

    /// <summary>The timeline that a standby has come to: that of its last restartpoint, or of what it must have replayed since.</summary>
    public static TimelineId TimelineOf(ControlFile control) =>
        control.MinRecoveryPointTimeline > control.Timeline ? control.MinRecoveryPointTimeline : control.Timeline;

    /// <summary>
    /// Proves that a backup that begins now begins and ends on one timeline: after a promotion of its primary a standby goes on to the new one, and its last restartpoint lies on
    /// the old one until the next. Throws <c>StandbyBetweenTimelines</c>.
    /// </summary>
    public static void RequireOneTimeline(string server, ControlFile control)
    {
        if (TimelineOf(control) != control.Timeline)
            throw PgErrors.StandbyBetweenTimelines(server, control.Timeline, TimelineOf(control));
    }

    /// <summary>The segment that names the backup, by WAL-G's rule for standbys: that of the byte before the start.</summary>
    public static WalSegmentName SegmentOf(Lsn start, ControlFile control) => WalSegmentName.Containing(control.Timeline, start - 1, control.WalSegmentSize);

    /// <summary>Proves that the label is of the backup that was begun: between its start and our look at the control file a restartpoint may have passed.</summary>
    public static void RequireLabel(BackupLabel label, BackupStart start, string name)
    {
        if (label.StartTimeline != start.Segment.Timeline)
            throw PgErrors.TimelineChanged(name, label.StartTimeline, start.Segment.Timeline);
    }
}
