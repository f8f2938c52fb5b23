using System.Text.RegularExpressions;
using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Replication.Login;

namespace PgBackup.Postgres.Replication;

/// <summary>What failures of a replication connection mean for the user; the same ids as for any other connection.</summary>
internal static partial class ReplicationErrors
{
    private const string DatabaseName = "replication";

    /// <summary>The error for a login that failed.</summary>
    public static PgBackupException OfLogin(Exception error, NpgsqlConnectionStringBuilder settings)
    {
        string server = $"{settings.Host}:{settings.Port}";
        string user = settings.Username ?? "";
        return error switch
        {
            ServerReportException { Report: { } report } => report.SqlState switch
            {
                PostgresErrorCodes.InvalidPassword => PgErrors.AuthenticationFailed(server, user, report.Text, error),
                PostgresErrorCodes.InvalidAuthorizationSpecification when HbaHost().Match(report.Message) is { Success: true } match =>
                    PgErrors.ReplicationNotInHba(server, user, report.Text, HbaLine(match.Groups[1].Value, user), error),
                PostgresErrorCodes.InvalidAuthorizationSpecification => PgErrors.AuthenticationFailed(server, user, report.Text, error),
                PostgresErrorCodes.InsufficientPrivilege => PgErrors.ReplicationRightMissing(server, user, report.Text, error),
                PostgresErrorCodes.TooManyConnections when report.Message.Contains("max_wal_senders", StringComparison.Ordinal) =>
                    PgErrors.ReplicationConnectionsExhausted(server, report.Text, error),
                _ => PgErrors.ServerConnectionFailed(server, DatabaseName, report.Text, error),
            },
            LoginRefusedException => PgErrors.AuthenticationFailed(server, user, error.Message, error),
            _ => PgErrors.ServerConnectionFailed(server, DatabaseName, Innermost(error), error),
        };
    }

    /// <summary>The error for a command that the server refused.</summary>
    public static PgBackupException OfCommand(ServerReportException error, string server, string user) => error.Report.SqlState switch
    {
        PostgresErrorCodes.InsufficientPrivilege => PgErrors.ReplicationRightMissing(server, user, error.Report.Text, error),
        PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown => PgErrors.ServerConnectionLost(server, error),
        _ => PgErrors.ServerQueryFailed(server, error.Report.Text, error),
    };

    /// <summary>The error for a connection that broke, or that speaks something else; null for what is neither.</summary>
    public static PgBackupException? OfConnection(Exception error, string server) => error switch
    {
        ProtocolViolationException => PgErrors.ServerAnswerUnexpected(server, error.Message, error),
        IOException or System.Net.Sockets.SocketException or ObjectDisposedException => PgErrors.ServerConnectionLost(server, error),
        _ => null,
    };

    private static string Innermost(Exception error) => error is System.Security.Authentication.AuthenticationException && error.InnerException is { } inner
        ? $"{error.Message} {inner.Message}"
        : error.Message;

    private static string HbaLine(string host, string user)
    {
        string name = PlainName().IsMatch(user) ? user : $"\"{user}\"";
        return host == "[local]" ? $"local replication {name} peer"
            : $"host replication {name} {host}/{(host.Contains(':', StringComparison.Ordinal) ? 128 : 32)} scram-sha-256";
    }

    [GeneratedRegex("(?:pg_hba\\.conf).*?host \"([^\"]+)\"", RegexOptions.CultureInvariant)]
    private static partial Regex HbaHost();

    [GeneratedRegex("^[a-z_][a-z0-9_]*$", RegexOptions.CultureInvariant)]
    private static partial Regex PlainName();
}
