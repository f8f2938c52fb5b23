namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException DatabaseNotFound(string server, string database, Exception? inner = null) => new(
        "DatabaseNotFound", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"The server {server} has no database '{database}'.",
        "Names are case-sensitive. psql -l lists the databases; a name with wildcard characters in it is written with a backtick before each.", database, inner);

    internal static PgBackupException NoDatabaseMatches(string server, string pattern) => new(
        "DatabaseNotFound", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"No database of the server {server} matches '{pattern}'.",
        "Templates and databases that take no connections are not looked at. psql -l lists the databases.", pattern);

    internal static PgBackupException DumpPrivilegeMissing(string server, string database, string reason, Exception? inner = null) => new(
        "InsufficientPrivilege", ErrorKind.PermissionDenied, ExitCodes.Failed,
        $"The role that logged in to {server} may not dump '{database}': {reason}",
        "Nothing was published. Log in as the owner or a superuser, or grant the role pg_read_all_data (PostgreSQL 14 and later) and CONNECT; or leave the object out with -ExcludeTable or -ExcludeSchema.",
        database, inner);

    internal static PgBackupException NothingToDump(string database, string reason) => new(
        "NothingToDump", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"Nothing of the database '{database}' matches: {reason}",
        "Patterns are pg_dump's: app.*, a name in double quotes keeps its upper case. Nothing was published.", database);

    internal static PgBackupException DumpFailed(string tool, string database, string reason) => new(
        "DumpFailed", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"{tool} did not dump '{database}': {reason}",
        "Nothing was published. The message is the program's own; run the command again with -Verbose to see each line of it.", database);

    internal static PgBackupException DumpConnectionLost(string server, string database, string reason) => new(
        "ServerConnectionLost", ErrorKind.ConnectionError, ExitCodes.ServerUnreachable,
        $"The connection to '{database}' of the server {server} was lost while it was dumped: {reason}",
        "Nothing was published. Look into the server's log for the reason (a restart, a terminated session), then run the command again.", database);

    internal static PgBackupException DumpLoginRefused(string server, string database, string reason) => new(
        "AuthenticationFailed", ErrorKind.AuthenticationError, ExitCodes.ServerUnreachable,
        $"The server {server} refused the login of pg_dump to '{database}': {reason}",
        "Give -UserName and -Credential, set PGPASSWORD or a .pgpass file, or allow the login in pg_hba.conf.", database);

    internal static PgBackupException DumpOptionsInvalid(string reason, string hint) => new(
        "DumpOptionsInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration, $"The dump cannot be taken so: {reason}", hint);

    internal static PgBackupException DumpFileExists(string path) => new(
        "DumpFileExists", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"There is '{path}' already.",
        "Give another -Destination, or -Force to replace it once the new dump is whole.", path);

    internal static PgBackupException DumpFolderMissing(string path) => new(
        "DumpFolderMissing", ErrorKind.ObjectNotFound, ExitCodes.BadConfiguration,
        $"'{path}' cannot be written: there is no folder '{Path.GetDirectoryName(path)}'.",
        "Nothing was dumped. Create the folder, or give another -Destination.", path);

    internal static PgBackupException DumpFileFailed(string path, Exception inner) => new(
        "DumpFileFailed", ErrorKind.WriteError, ExitCodes.Failed,
        $"Writing '{path}' failed: {inner.Message}",
        "Nothing is left under the name. Check free space and rights of the folder, then run the command again.", path, inner);

    internal static PgBackupException DumpScratchFailed(string folder, Exception inner) => new(
        "TemporaryFileFailed", ErrorKind.WriteError, ExitCodes.Failed,
        $"The temporary folder '{folder}' could not be used: {inner.Message}",
        "A dump in directory format lies there before it is stored: make room, set TMPDIR to a folder with room, or use -Format Custom, which needs none.", folder, inner);
}
