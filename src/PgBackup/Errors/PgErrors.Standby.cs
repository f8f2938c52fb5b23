namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException FullPageWritesOff(string server, Exception? inner = null) => new(
        "FullPageWritesOff", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The standby {server} has replayed WAL that its primary wrote with full_page_writes off; a backup taken from it could hold torn pages that nothing repairs.",
        "Nothing was published. On the primary: ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf(); CHECKPOINT. When the standby has replayed that, run the backup again; "
        + "or back up the primary.",
        server, inner);

    internal static PgBackupException StandbyPromoted(string server, Exception? inner = null) => new(
        "StandbyPromoted", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The standby {server} was promoted while it was backed up; what was copied cannot be used.",
        "Nothing was published. Run the backup again: the server is a primary now, and must archive its WAL (Get-PgWalArchiveStatus).", server, inner);

    internal static PgBackupException StandbyBetweenTimelines(string server, TimelineId restartpoint, TimelineId replay) => new(
        "StandbyBetweenTimelines", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The standby {server} replays timeline {replay}, but its last restartpoint lies on timeline {restartpoint}: a backup would begin on one and end on the other.",
        "Run CHECKPOINT on the primary; when the standby has replayed it, run the backup again.", server);

    internal static PgBackupException BackupNameTakenOnStandby(string name, string location) => new(
        "BackupNameTaken", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The repository '{location}' holds a backup named '{name}' already; a second one would replace it. A standby's backup begins at its last restartpoint, "
        + "and that lies in the same WAL segment as the start of the other.",
        "On the primary: SELECT pg_switch_wal(); CHECKPOINT. When the standby has replayed that, run the backup again.", name);
}
