using System.Globalization;
using PgBackup.Postgres.Server;

namespace PgBackup.Wal.Integrity;

/// <summary>Asks a server how far its log goes.</summary>
public static class ServerPositionReader
{
    private const string Query = $"""
        SELECT {LogPositionSql.Lsn}, {LogPositionSql.Timeline}, (SELECT system_identifier FROM pg_control_system())::text
        FROM (SELECT pg_is_in_recovery() AS r) AS s
        """;

    /// <summary>Reads it. Throws <c>ServerQueryFailed</c>, <c>InsufficientPrivilege</c>.</summary>
    public static async Task<ServerPosition> ReadAsync(ServerSession session, CancellationToken cancellationToken = default)
    {
        (string lsn, string timeline, string system) = (await session.QueryAsync(
            Query, row => (row.GetString(0), row.GetString(1), row.GetString(2)), cancellationToken).ConfigureAwait(false))[0];
        // The identifier is unsigned; SQL has no such number and prints what is above the half as negative.
        return new ServerPosition(
            session.Server, unchecked((ulong)long.Parse(system, CultureInfo.InvariantCulture)), TimelineId.Parse(timeline), Lsn.Parse(lsn));
    }
}
