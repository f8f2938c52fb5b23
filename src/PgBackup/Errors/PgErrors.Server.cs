namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException ConnectionSettingsInvalid(string reason) => new(
        "ConnectionSettingsInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The connection settings cannot be used: {reason}",
        "Give -HostName, -Port, -UserName and -Credential, or -ConnectionString 'Host=db1;Port=5432;Username=backup'.");

    internal static PgBackupException ServerConnectionFailed(string server, string database, string reason, Exception inner) => new(
        "ServerConnectionFailed", ErrorKind.ConnectionError, ExitCodes.ServerUnreachable,
        $"Could not connect to database '{database}' of the server {server}: {reason}",
        "Check that the server runs and that -HostName and -Port (or PGHOST and PGPORT) name it; pg_isready tells.", server, inner);

    internal static PgBackupException ServerConnectionLost(string server, Exception inner) => new(
        "ServerConnectionLost", ErrorKind.ConnectionError, ExitCodes.ServerUnreachable,
        $"The connection to the server {server} was lost: {inner.Message}",
        "Look into the server's log for the reason (a restart, a terminated session), then run the command again.", server, inner);

    internal static PgBackupException AuthenticationFailed(string server, string user, string reason, Exception inner) => new(
        "AuthenticationFailed", ErrorKind.AuthenticationError, ExitCodes.ServerUnreachable,
        $"The server {server} refused the login of '{user}': {reason}",
        "Give -UserName and -Credential, set PGPASSWORD or a .pgpass file, or allow the login in pg_hba.conf.", server, inner);

    internal static PgBackupException PoolerRefused(string server) => new(
        "PoolerRefused", ErrorKind.InvalidOperation, ExitCodes.BadConfiguration,
        $"Between here and the server {server} stands a connection pooler, through which a backup cannot be taken.",
        "Connect to the server itself: give the port that PostgreSQL listens on as -Port.", server);

    internal static PgBackupException ServerTooOld(string server, int major, int oldest) => new(
        "ServerTooOld", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The server {server} is PostgreSQL {major}; PgBackup works with {oldest} and later.",
        "Upgrade the server, or back it up with the tools of its time.", server);

    internal static PgBackupException InsufficientPrivilege(string server, string reason, Exception? inner = null) => new(
        "InsufficientPrivilege", ErrorKind.PermissionDenied, ExitCodes.Failed,
        $"The role that logged in to {server} may not do this: {reason}",
        "Log in as a superuser, or grant the role pg_read_all_settings, pg_monitor and EXECUTE on the backup functions (about_PgBackup_Rights).", server, inner);

    internal static PgBackupException ServerQueryFailed(string server, string reason, Exception inner) => new(
        "ServerQueryFailed", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The server {server} answered with an error: {reason}",
        "Look into the server's log for what it says around this moment.", server, inner);
}
