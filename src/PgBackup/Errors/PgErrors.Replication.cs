namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException ReplicationNotInHba(string server, string user, string reason, string line, Exception inner) => new(
        "AuthenticationFailed", ErrorKind.AuthenticationError, ExitCodes.ServerUnreachable,
        $"The server {server} refused the replication connection of '{user}': {reason}",
        $"Add the line '{line}' to the server's pg_hba.conf ('all' for the database does not cover replication) and reload it: SELECT pg_reload_conf().", server, inner);

    internal static PgBackupException ReplicationRightMissing(string server, string user, string reason, Exception inner) => new(
        "InsufficientPrivilege", ErrorKind.PermissionDenied, ExitCodes.Failed,
        $"The role '{user}' may not take a remote backup of {server}: {reason}",
        $"Give it the right as a superuser: ALTER ROLE \"{user}\" REPLICATION (about_PgBackup_Rights).", server, inner);

    internal static PgBackupException ReplicationConnectionsExhausted(string server, string reason, Exception inner) => new(
        "ServerConnectionFailed", ErrorKind.ConnectionError, ExitCodes.ServerUnreachable,
        $"The server {server} takes no more replication connections: {reason}",
        "Wait until another base backup or standby has gone, or raise max_wal_senders and restart the server.", server, inner);

    internal static PgBackupException ServersDiffer(string server) => new(
        "ServersDiffer", ErrorKind.ConnectionError, ExitCodes.ServerUnreachable,
        $"The connection for questions and the one for the data reached two servers behind {server}; a backup must know the server that it is of.",
        "Name one server with -HostName: a balancer, or a name or service with several servers behind it, may answer each connection with another.", server);

    internal static PgBackupException ServerAnswerUnexpected(string server, string what, Exception inner) => new(
        "ServerAnswerUnexpected", ErrorKind.InvalidData, ExitCodes.ServerUnreachable,
        $"What answers at {server} does not speak PostgreSQL's protocol as it should: {what}.",
        "Check that -HostName and -Port name the PostgreSQL server itself, with no pooler or proxy between.", server, inner);
}
