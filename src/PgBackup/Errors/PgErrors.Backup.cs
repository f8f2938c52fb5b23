namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException DataDirectoryNotFound(string path) => new(
        "DataDirectoryNotFound", ErrorKind.ObjectNotFound, ExitCodes.BadConfiguration,
        $"There is no data directory at '{path}' on this host.",
        "Run the command on the server's own host, or give the directory as this host sees it with -DataDirectory.", path);

    internal static PgBackupException DataDirectoryOfAnotherCluster(string path, ulong found, ulong server) => new(
        "DataDirectoryOfAnotherCluster", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The data directory '{path}' belongs to the cluster with system identifier {found}, but the server's is {server}.",
        "Check -DataDirectory, -HostName and -Port: they must name one and the same cluster.", path);

    internal static PgBackupException DataFileUnreadable(string path, Exception inner) => new(
        "DataFileUnreadable", ErrorKind.ReadError, ExitCodes.Failed,
        $"Reading '{path}' failed: {inner.Message}",
        "Run the backup as the account that owns the data directory (usually postgres) or as root; if the disk is failing, the server's log and dmesg tell.",
        path, inner);

    internal static PgBackupException DataDirectoryLoop(string path) => new(
        "DataDirectoryLoop", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The folder '{path}' lies too deep: a symbolic link in the data directory seems to lead back into it.",
        "Remove the link, then run the backup again.", path);

    internal static PgBackupException ArchivingNotEnabled(string server, string what) => new(
        "ArchivingNotEnabled", ErrorKind.NotEnabled, ExitCodes.BadConfiguration,
        $"The server {server} does not archive its WAL ({what}); a backup without WAL cannot be restored.",
        "Run Enable-PgWalArchiving, restart or reload the server as it says, then run the backup again.", server);

    internal static PgBackupException ArchivingFails(string server, string segment, DateTimeOffset since, long failures) => new(
        "ArchivingFails", ErrorKind.ResourceUnavailable, ExitCodes.Failed,
        $"WAL archiving of the server {server} is failing: '{segment}' was refused last at {since:u}, {failures} failures in all.",
        "See Get-PgWalArchiveStatus and the server's log for the reason; when a segment has been archived again, run the backup again.", server);

    internal static PgBackupException AnotherBackupOnServer(string server) => new(
        "BackupInProgress", ErrorKind.ResourceBusy, ExitCodes.Locked,
        $"Another PgBackup backup of the server {server} is running.",
        "Wait until it has ended, then run the command again.", server);

    internal static PgBackupException BackupNameTaken(string name, string location) => new(
        "BackupNameTaken", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The repository '{location}' holds a backup named '{name}' already; a second one would replace it.",
        "The cluster seems to have been restored to an earlier state on the same timeline. Use a new repository, or let the cluster begin a new timeline (promote it).",
        name);

    internal static PgBackupException TimelineChanged(string name, TimelineId before, TimelineId after) => new(
        "TimelineChanged", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The server went from timeline {before} to {after} while the backup {name} was taken; it cannot be used.",
        "Nothing was published. Run the backup again.", name);

    internal static PgBackupException WalNotArchived(string name, string segment, TimeSpan waited, string location, string? reason) => new(
        "WalNotArchived", ErrorKind.OperationTimeout, ExitCodes.Failed,
        $"The WAL segment {segment}, which the backup {name} needs, did not arrive in the repository '{location}' within {waited.TotalSeconds:0} s."
        + (reason is null ? "" : " " + reason),
        "Nothing was published. Check that archive_command writes to this very repository (Get-PgWalArchiveStatus), or give more time with -ArchiveTimeout.",
        segment);
}
