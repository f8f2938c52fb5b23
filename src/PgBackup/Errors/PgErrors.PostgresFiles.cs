namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException ControlFileNotFound(string dataDirectory, Exception inner) => new(
        "ControlFileNotFound", ErrorKind.ObjectNotFound, ExitCodes.BadConfiguration,
        $"'{dataDirectory}' is no PostgreSQL data directory: it has no global/pg_control.",
        "Give the data directory that the server reports with SHOW data_directory.", dataDirectory, inner);

    internal static PgBackupException ControlFileUnreadable(string path, Exception inner) => new(
        "ControlFileUnreadable", ErrorKind.ReadError, ExitCodes.Failed,
        $"'{path}' cannot be read: {inner.Message}",
        "Run as an account that may read the data directory, for example the server's own (postgres).", path, inner);

    internal static PgBackupException ControlFileInvalid(string origin, string detail) => new(
        "ControlFileInvalid", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The control file '{origin}' is damaged: {detail}.",
        "Compare with the output of pg_controldata. If the server still runs, take a dump of every database now; otherwise restore a backup.", origin);

    internal static PgBackupException ControlFileVersionNotSupported(string origin, uint version) => new(
        "ControlFileVersionNotSupported", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The control file '{origin}' has the layout version {version}; PgBackup reads those of PostgreSQL 13 to 18 on little-endian machines.",
        "Check the server's version in the file PG_VERSION of the data directory.", origin);

    internal static PgBackupException BackupLabelInvalid(string detail) => new(
        "BackupLabelInvalid", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The backup's file backup_label is damaged: {detail}.",
        "Restore another backup: Get-PgBackup lists them.", "backup_label");

    internal static PgBackupException TablespaceMapInvalid(string detail) => new(
        "TablespaceMapInvalid", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The backup's file tablespace_map is damaged: {detail}.",
        "Restore another backup: Get-PgBackup lists them.", "tablespace_map");

    internal static PgBackupException TimelineHistoryInvalid(TimelineId timeline, string detail) => new(
        "TimelineHistoryInvalid", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The history file {timeline.HistoryFileName} is damaged: {detail}.",
        "Copy the file again from pg_wal of the server that made this timeline.", timeline.HistoryFileName);

    internal static PgBackupException WalRecordNotUnderstood(Lsn start, string detail) => new(
        "WalRecordNotUnderstood", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The WAL record at {start} is whole but not as PostgreSQL 13 to 18 writes it: {detail}.",
        "Look at the record with pg_waldump of the server's version, and report it as a fault of PgBackup.", start);
}
