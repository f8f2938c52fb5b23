using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Server;

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

    /// <summary>
    /// The SQLSTATE with which a server in recovery refuses a backup: "standby was promoted during online backup", and full_page_writes; both of them, and in the server's language.
    /// </summary>
    public const string Refusal = PostgresErrorCodes.ObjectNotInPrerequisiteState;

    /// <summary>The error for a refusal: either the name of the setting stands in what the server says, or the server is no longer in recovery.</summary>
    public static async Task<PgBackupException> OfRefusalAsync(ServerSession server, PgBackupException error, CancellationToken cancellationToken)
    {
        if (error.Message.Contains("full_page_writes", StringComparison.Ordinal))
            return PgErrors.FullPageWritesOff(server.Server, error);
        return await server.ScalarAsync<bool>("SELECT pg_is_in_recovery()", cancellationToken).ConfigureAwait(false) ? error : PgErrors.StandbyPromoted(server.Server, error);
    }

    /// <summary>
    /// Proves that a backup that begins now begins and ends on one timeline: after a promotion of its primary a standby goes on to the new one, and its last restartpoint lies on
    /// the old one until the next. Throws <c>StandbyBetweenTimelines</c>.
    /// </summary>
    /// <param name="server">Host and port.</param>
    /// <param name="restartpoint">The timeline of the last restartpoint.</param>
    /// <param name="recovered">The timeline of what the standby must have replayed since.</param>
    public static void RequireOneTimeline(string server, TimelineId restartpoint, TimelineId recovered)
    {
        if (recovered > restartpoint)
            throw PgErrors.StandbyBetweenTimelines(server, restartpoint, recovered);
    }

    /// <summary>Proves by a control file that was read since that the server is still on the timeline of the backup's start. Throws <c>TimelineChanged</c>.</summary>
    public static void RequireTimeline(BackupTarget target, ControlFile control, BackupStart start, string name)
    {
        TimelineId timeline = target.IsStandby && control.MinRecoveryPointTimeline > control.Timeline ? control.MinRecoveryPointTimeline : control.Timeline;
        if (timeline != start.Segment.Timeline)
            throw PgErrors.TimelineChanged(name, start.Segment.Timeline, timeline);
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
