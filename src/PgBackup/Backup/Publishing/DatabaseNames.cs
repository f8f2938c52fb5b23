using System.Text.Json;
using PgBackup.Errors;
using PgBackup.Postgres.Server;

namespace PgBackup.Backup.Publishing;

/// <summary>
/// Writes the names of databases and tables with their OIDs, which wal-g's <c>--restore-only</c> looks up (<c>DatabasesByNames</c>). It is a comfort: a
/// database that cannot be read is told and left out.
/// </summary>
internal static class DatabaseNames
{
    private const string Relations =
        """
        SELECT n.nspname || '.' || c.relname, c.oid::int8, pg_relation_filenode(c.oid)::int8, i.inhparent IS NOT NULL AND p.relkind = 'p',
               pn.nspname || '.' || p.relname
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
        LEFT JOIN pg_class p ON p.oid = i.inhparent
        LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace
        WHERE c.relkind IN ('r', 'p', 'i', 'I', 'm', 't', 'S') AND c.relpersistence <> 't'
        """;

    public static async Task WriteAsync(
        Utf8JsonWriter writer, ServerSession session, ServerConnectionSettings settings, IOperationLog log, CancellationToken cancellationToken)
    {
        List<(string Name, uint Oid)> databases = await session.QueryAsync(
            "SELECT datname, oid::int8 FROM pg_database WHERE datallowconn ORDER BY 1",
            static row => (row.GetString(0), (uint)row.GetInt64(1)),
            cancellationToken).ConfigureAwait(false);
        writer.WriteStartObject();
        foreach ((string name, uint oid) in databases)
        {
            try
            {
                await WriteDatabaseAsync(writer, settings, name, oid, cancellationToken).ConfigureAwait(false);
            }
            catch (PgBackupException error)
            {
                log.Warning($"The tables of database '{name}' are not listed in the backup (wal-g --restore-only will not find them): {error.Message}");
            }
            await writer.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        writer.WriteEndObject();
    }

    private static async Task WriteDatabaseAsync(
        Utf8JsonWriter writer, ServerConnectionSettings settings, string name, uint oid, CancellationToken cancellationToken)
    {
        List<Relation> relations;
        ServerSession session = await ServerSession.OpenAsync(settings, name, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            relations = await session.QueryAsync(
                Relations,
                static row => new Relation(
                    row.GetString(0), (uint)row.GetInt64(1), row.IsDBNull(2) ? 0 : (uint)row.GetInt64(2), row.GetBoolean(3) ? row.GetString(4) : null),
                cancellationToken).ConfigureAwait(false);
        }
        ILookup<string, Relation> partitions = relations.Where(r => r.Parent is not null).ToLookup(r => r.Parent!, StringComparer.Ordinal);
        writer.WriteStartObject(name);
        writer.WriteNumber("oid", oid);
        writer.WriteStartObject("tables_new");
        foreach (Relation relation in relations)
        {
            // Partitions stand in their table's entry, one level deep.
            if (relation.Parent is null || partitions.Contains(relation.Name))
                WriteRelation(writer, relation, partitions[relation.Name]);
        }
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void WriteRelation(Utf8JsonWriter writer, Relation relation, IEnumerable<Relation> partitions)
    {
        writer.WriteStartObject(relation.Name);
        writer.WriteNumber("oid", relation.Oid);
        writer.WriteNumber("relfilenode", relation.FileNode);
        bool any = false;
        foreach (Relation partition in partitions)
        {
            if (!any)
                writer.WriteStartObject("subtables");
            any = true;
            WriteRelation(writer, partition, []);
        }
        if (any)
            writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private sealed record Relation(string Name, uint Oid, uint FileNode, string? Parent);
}
