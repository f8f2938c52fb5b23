namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException ClusterIdentityMismatch(string location, ulong cluster, ulong recorded) => new(
        "ClusterIdentityMismatch", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The repository '{location}' belongs to the cluster with system identifier {recorded}, but this is the cluster {cluster}.",
        "Use another repository for this cluster. If the cluster was made anew (pg_upgrade, initdb) and shall go on in this repository, "
        + "run Backup-PgCluster once with -NewLineage.",
        cluster);

    internal static PgBackupException DocumentInvalid(string location, string key, Exception inner) => new(
        "DocumentInvalid", ErrorKind.InvalidData, ExitCodes.VerificationFailed,
        $"The document '{key}' in the repository '{location}' is damaged: {inner.Message}",
        "Restore the object from a copy of the repository, or take a new full backup and remove this one.", key, inner);

    internal static PgBackupException BackupNotFound(string what, string location) => new(
        "BackupNotFound", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"There is no backup '{what}' in the repository '{location}'.",
        "See what is there with Get-PgBackup.", what);

    internal static PgBackupException NoBackups(string location) => new(
        "BackupNotFound", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"The repository '{location}' holds no backup that could be restored.",
        "Take one with Backup-PgCluster, or see what is there with Get-PgBackup.", location);

    internal static PgBackupException BackupInProgress(string location, string backup, string host, int process, DateTimeOffset since) => new(
        "BackupInProgress", ErrorKind.ResourceBusy, ExitCodes.Locked,
        $"Another backup ({backup}) into the repository '{location}' has been running since {since:u} on host {host}, process {process}.",
        "Wait until it has ended. If that host or process is gone for good, its claim lapses by itself ten minutes after its last sign of life.",
        location);

    internal static PgBackupException MaintenanceInProgress(string location, string purpose, string host, int process, DateTimeOffset since) => new(
        "MaintenanceInProgress", ErrorKind.ResourceBusy, ExitCodes.Locked,
        $"Backups of the repository '{location}' are being removed ({purpose}), since {since:u} by process {process} on host {host}.",
        "Wait until it has ended, then run the command again. If that host or process is gone for good, its claim lapses by itself ten minutes after its last sign of life.",
        location);

    internal static PgBackupException LeaseUnreadable(string location, string key) => new(
        "BackupInProgress", ErrorKind.ResourceBusy, ExitCodes.Locked,
        $"The object '{key}' in the repository '{location}', which says who is writing backups there, cannot be read.",
        "If no backup and no copy into this repository is running, remove the object; ten minutes after it was written it is passed over.",
        location);

    internal static PgBackupException LeaseLost(string location, string holder) => new(
        "LeaseLost", ErrorKind.ResourceBusy, ExitCodes.Locked,
        $"Another process ({holder}) took over the right to write backups into the repository '{location}' while this run was at work.",
        "This run was given up; nothing unfinished of it is listed. See that only one schedule writes there, then run it again.", location);
}
