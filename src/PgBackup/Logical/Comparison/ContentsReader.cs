using System.Globalization;
using Npgsql;
using PgBackup.Errors;
using PgBackup.Logical.Load;
using PgBackup.Postgres.Server;
using PgBackup.Postgres.Tools;

namespace PgBackup.Logical.Comparison;

/// <summary>
/// Reads what a database holds: its objects as pg_dump tells them, which knows every kind of them, and its rows by counting.
/// </summary>
/// <param name="server">The server.</param>
/// <param name="database">The database.</param>
/// <param name="session">A session in it; of the source the one that holds the dump's snapshot.</param>
internal sealed class ContentsReader(ServerConnectionSettings server, string database, ServerSession session)
{
    // What belongs to the database as a whole is not restored into another one; a subscription would copy rows anew, so it is left out of the scratch database.
    private static readonly string[] s_leftOutKinds = ["DATABASE", "DATABASE PROPERTIES", "SUBSCRIPTION", "SUBSCRIPTION TABLE"];
    private static readonly string[] s_leftOutNames = ["DATABASE ", "SUBSCRIPTION "];

    /// <summary>The objects that pg_dump dumps with these arguments.</summary>
    /// <param name="selection">Arguments of pg_dump that choose.</param>
    /// <param name="withPrivileges">Whether to tell what is granted.</param>
    /// <param name="onLine">Told pg_dump's messages.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="PgBackupException"><c>ClientToolMissing</c>, <c>DumpFailed</c>.</exception>
    public async Task<List<ContentObject>> ReadObjectsAsync(IEnumerable<string> selection, bool withPrivileges, Action<string> onLine, CancellationToken cancellationToken)
    {
        ClientTool tool = await ClientTool.FindAsync(ClientTool.PgDump, session.MajorVersion, cancellationToken).ConfigureAwait(false);
        using var connection = ToolConnection.Create(server, database);
        ToolProcess process = ToolProcess.Start(tool, connection, ["--no-password", "--format=custom", "--schema-only", .. selection], onLine);
        await using (process.ConfigureAwait(false))
        {
            Task<ToolOutcome> ending = process.WaitAsync(cancellationToken);
            ArchiveToc? toc = null;
            PgBackupException? broken = null;
            try
            {
                toc = await ArchiveTocReader.ReadAsync(process.Output, database, CancellationToken.None).ConfigureAwait(false);
                await process.Output.CopyToAsync(Stream.Null, CancellationToken.None).ConfigureAwait(false);
            }
            catch (PgBackupException error)
            {
                // It says itself why, when it ended before its time.
                broken = error;
            }
            ToolOutcome outcome = await ending.ConfigureAwait(false);
            if (outcome.ExitCode != 0)
                throw PgErrors.DumpFailed(tool.ToString(), database, outcome.Errors.LastOrDefault() ?? string.Create(CultureInfo.InvariantCulture, $"it ended with {outcome.ExitCode}."));
            return toc is null ? throw broken! : [.. toc.Entries.Where(entry => IsCompared(entry, withPrivileges)).Select(entry => new ContentObject(entry.Kind, entry.Schema, entry.Name))];
        }
    }

    /// <summary>
    /// The tables of these that have rows of their own and whose rows are dumped: no partitioned and no foreign tables. A materialized view is filled anew when it is restored, with what
    /// its query then gives.
    /// </summary>
    public async Task<List<TableName>> ChooseTablesAsync(IEnumerable<TableName> tables, CancellationToken cancellationToken)
    {
        HashSet<TableName> ordinary = [.. await session.QueryAsync(
            "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence <> 't'",
            row => new TableName(row.GetString(0), row.GetString(1)), cancellationToken).ConfigureAwait(false)];
        return [.. tables.Where(ordinary.Contains)];
    }

    /// <summary>Counts the rows of tables, those of their children not among them.</summary>
    public async Task<Dictionary<TableName, long?>> CountAsync(IReadOnlyList<TableName> tables, Action<int> onTable, CancellationToken cancellationToken)
    {
        var rows = new Dictionary<TableName, long?>(tables.Count);
        // As pg_dump does: rather an error than rows that a policy hides.
        await session.ExecuteAsync("SET row_security = off", cancellationToken).ConfigureAwait(false);
        foreach (TableName table in tables)
        {
            onTable(rows.Count);
            try
            {
                rows[table] = await session.ScalarAsync<long>(
                    $"SELECT pg_catalog.count(*) FROM ONLY {SqlText.Identifier(table.Schema)}.{SqlText.Identifier(table.Name)}", cancellationToken).ConfigureAwait(false);
            }
            catch (PgBackupException error) when (error.InnerException is PostgresException { SqlState: PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName })
            {
                rows[table] = null;
            }
        }
        return rows;
    }

    /// <summary>The number of large objects.</summary>
    public Task<long> CountLargeObjectsAsync(CancellationToken cancellationToken) =>
        session.ScalarAsync<long>("SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata", cancellationToken);

    private static bool IsCompared(TocEntry entry, bool withPrivileges) =>
        !s_leftOutKinds.Contains(entry.Kind)
        && !(entry.Kind is "COMMENT" or "ACL" or "SECURITY LABEL" && entry.Schema is null && s_leftOutNames.Any(start => entry.Name.StartsWith(start, StringComparison.Ordinal)))
        && (withPrivileges || entry.Kind is not ("ACL" or "DEFAULT ACL"));
}
