namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException BackupKindMismatch(string name, string location) => new(
        "BackupKindMismatch", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The backup '{name}' of the repository '{location}' is of a database, and not of a cluster.",
        "Restore it with Restore-PgDatabase. Get-PgBackup -Kind Cluster gives the backups of clusters alone.", name);

    internal static PgBackupException BackupObjectInvalid(string type) => new(
        "BackupObjectInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"What was piped is of the type '{type}', and not a backup.",
        "Pipe what Get-PgBackup -Kind Cluster gives, or name the backups with -Name.", type);

    internal static PgBackupException DatabaseBackupNotCopied(string name, string location) => new(
        "BackupKindMismatch", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The backup '{name}' of the repository '{location}' is of a database; Copy-PgBackup copies the backups of clusters.",
        "Leave it out with Get-PgBackup -Kind Cluster, or dump the database into the other repository with Backup-PgDatabase.", name);
}
