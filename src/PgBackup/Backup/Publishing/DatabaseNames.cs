using System.Text.Json;
using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Server;

namespace PgBackup.Backup.Publishing;

/// <summary>
/// Writes the names of databases and tables with their OIDs, which wal-g's <c>--restore-only</c> looks up (<c>DatabasesByNames</c>). It is a comfort: a
/// database that cannot be read is told and left out, all such in one warning.
/// </summary>
internal static class DatabaseNames
{
    // One row for each relation by itself and, right behind it, one for each of its descendants at any depth (partitions, children by inheritance):
    // wal-g restores a table with all that stand in its entry, and looks no deeper. Views have no file.
    private const string Relations =
        """
        WITH RECURSIVE descent (root, oid) AS (
            SELECT i.inhparent, i.inhrelid FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE p.relkind IN ('r', 'p')
            UNION
            SELECT d.root, i.inhrelid FROM descent d JOIN pg_inherits i ON i.inhparent = d.oid
        )
        SELECT n.nspname || '.' || c.relname, c.oid::int8, coalesce(pg_relation_filenode(c.oid), 0)::int8, e.depth
        FROM (SELECT oid AS root, oid, 0 AS depth FROM pg_class UNION ALL SELECT root, oid, 1 FROM descent) e
        JOIN pg_class c ON c.oid = e.oid
        JOIN pg_class r ON r.oid = e.root
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'i', 'I', 'm', 't', 'S') AND c.relpersistence <> 't' AND r.relpersistence <> 't'
        ORDER BY e.root, e.depth, e.oid
        """;

    private const int MostNamed = 5;

    // What is written stays in memory until the writer is flushed.
    private const int FlushFrom = 256 * 1024;

    public static async Task WriteAsync(
        Utf8JsonWriter writer, ServerSession session, ServerConnectionSettings settings, IOperationLog log, CancellationToken cancellationToken)
    {
        List<(string Name, uint Oid)> databases = await session.QueryAsync(
            "SELECT datname, oid::int8 FROM pg_database WHERE datallowconn ORDER BY 1",
            static row => (row.GetString(0), (uint)row.GetInt64(1)),
            cancellationToken).ConfigureAwait(false);
        List<string> refused = [];
        PgBackupException? first = null;
        writer.WriteStartObject();
        foreach ((string name, uint oid) in databases)
        {
            try
            {
                await WriteDatabaseAsync(writer, settings, name, oid, cancellationToken).ConfigureAwait(false);
            }
            catch (PgBackupException error)
            {
                refused.Add($"'{name}'");
                first ??= error;
            }
            await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        writer.WriteEndObject();
        if (first is null)
            return;
        string which = refused.Count == 1 ? $"database {refused[0]}"
            : $"{refused.Count} databases ({string.Join(", ", refused.Take(MostNamed))}{(refused.Count > MostNamed ? ", …" : "")})";
        log.Warning($"The tables of {which} are not listed in the backup (wal-g --restore-only will not find them): {first.Message}");
    }

    private static async Task WriteDatabaseAsync(
        Utf8JsonWriter writer, ServerConnectionSettings settings, string name, uint oid, CancellationToken cancellationToken)
    {
        ServerSession session = await ServerSession.OpenAsync(settings, name, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            int outer = writer.CurrentDepth;
            writer.WriteStartObject(name);
            writer.WriteNumber("oid", oid);
            writer.WriteStartObject("tables_new");
            int tables = writer.CurrentDepth;
            try
            {
                await session.ReadAsync(Relations, row => WriteRelationAsync(writer, tables, row, cancellationToken), cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                CloseTo(writer, outer); // Also when the server fails half way: the document stays whole.
            }
        }
    }

    private static async Task WriteRelationAsync(Utf8JsonWriter writer, int tables, NpgsqlDataReader row, CancellationToken cancellationToken)
    {
        bool isDescendant = row.GetInt32(3) > 0;
        if (!isDescendant)
            CloseTo(writer, tables);
        else if (writer.CurrentDepth == tables + 1)
            writer.WriteStartObject("subtables");
        writer.WriteStartObject(row.GetString(0));
        writer.WriteNumber("oid", row.GetInt64(1));
        writer.WriteNumber("relfilenode", row.GetInt64(2));
        if (isDescendant)
            writer.WriteEndObject();
        if (writer.BytesPending > FlushFrom)
            await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private static void CloseTo(Utf8JsonWriter writer, int depth)
    {
        while (writer.CurrentDepth > depth)
            writer.WriteEndObject();
    }
}
