using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Server;

namespace PgBackup.Extraction;

/// <summary>A table of a database.</summary>
/// <param name="Schema">Its schema.</param>
/// <param name="Name">Its name.</param>
internal sealed record FoundTable(string Schema, string Name)
{
    /// <summary>The name in quotes: a pattern of pg_dump that means this table alone.</summary>
    public string Quoted => $"{Quote(Schema)}.{Quote(Name)}";

    /// <summary>For people: quotes only where they are needed.</summary>
    public override string ToString() => $"{Readable(Schema)}.{Readable(Name)}";

    private static string Readable(string name) =>
        name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_') ? name : Quote(name);

    private static string Quote(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}

/// <summary>Finds the tables that are meant, with the partitions and the children that hold their rows.</summary>
internal static class TableFinder
{
    private const int MostSimilar = 5;

    private const string Matching =
        """
        SELECT c.oid::int8, n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v', 'S') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_(toast|temp)'
        """;

    private const string Descendants =
        """
        WITH RECURSIVE d (oid) AS (SELECT $1::int8::oid UNION SELECT i.inhrelid FROM d JOIN pg_catalog.pg_inherits i ON i.inhparent = d.oid)
        SELECT n.nspname, c.relname FROM d JOIN pg_catalog.pg_class c ON c.oid = d.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v', 'S') ORDER BY c.oid = $1::int8::oid DESC, 1, 2
        """;

    /// <summary>Finds them. Throws <c>TableNotFound</c>, <c>TableAmbiguous</c>.</summary>
    public static async Task<IReadOnlyList<FoundTable>> FindAsync(ServerSession session, IReadOnlyList<TableName> names, string database, string target, CancellationToken cancellationToken)
    {
        var tables = new List<FoundTable>();
        var known = new HashSet<FoundTable>();
        foreach (TableName name in names)
        {
            List<(long Oid, FoundTable Table)> found = await MatchAsync(session, name, cancellationToken).ConfigureAwait(false);
            if (found.Count == 0)
                throw PgErrors.TableNotFound(name.Text, database, target, await SimilarAsync(session, name, cancellationToken).ConfigureAwait(false));
            if (found.Count > 1 && name is { Schema: null, Table.Pattern: null })
                throw PgErrors.TableAmbiguous(name.Text, [.. found.Select(static f => f.Table.ToString())]);
            foreach ((long oid, _) in found)
            {
                foreach (FoundTable table in await session.QueryAsync(Descendants, static row => new FoundTable(row.GetString(0), row.GetString(1)), cancellationToken, oid).ConfigureAwait(false))
                {
                    if (known.Add(table))
                        tables.Add(table);
                }
            }
        }
        return tables;
    }

    /// <summary>
    /// Which of the names a target has already, so that they could not be loaded: those that are given with their schema and without wildcards, because of others only the source tells what they mean.
    /// None when there is no such database.
    /// </summary>
    public static async Task<IReadOnlyList<FoundTable>> FindInTargetAsync(ServerConnectionSettings target, string database, IReadOnlyList<TableName> names, CancellationToken cancellationToken)
    {
        ServerSession session;
        try
        {
            session = await ServerSession.OpenAsync(target, database, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.InnerException is PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName })
        {
            return [];
        }
        await using (session.ConfigureAwait(false))
        {
            var there = new List<FoundTable>();
            foreach (TableName name in names.Where(static n => n is { Schema.Pattern: null, Table.Pattern: null }))
                there.AddRange((await MatchAsync(session, name, cancellationToken).ConfigureAwait(false)).Select(static found => found.Table));
            return there;
        }
    }

    // As it is written; and if there is none, as SQL would read it, in small letters.
    private static async Task<List<(long Oid, FoundTable Table)>> MatchAsync(ServerSession session, TableName name, CancellationToken cancellationToken)
    {
        List<(long Oid, FoundTable Table)> exact = await QueryAsync(session, name.Schema, name.Table, cancellationToken).ConfigureAwait(false);
        return exact.Count > 0 ? exact : await QueryAsync(session, Folded(name.Schema), Folded(name.Table)!, cancellationToken).ConfigureAwait(false);
    }

    private static Task<List<(long Oid, FoundTable Table)>> QueryAsync(ServerSession session, NamePart? schema, NamePart table, CancellationToken cancellationToken)
    {
        string sql = Matching + Condition("c.relname", table, 1)
            + (schema is null ? " AND n.nspname NOT IN ('pg_catalog', 'information_schema')" : Condition("n.nspname", schema, 2)) + " ORDER BY 2, 3";
        object[] values = schema is null ? [ValueOf(table)] : [ValueOf(table), ValueOf(schema)];
        return session.QueryAsync(sql, static row => (row.GetInt64(0), new FoundTable(row.GetString(1), row.GetString(2))), cancellationToken, values);
    }

    private static string Condition(string column, NamePart part, int number) => part.Pattern is null ? $" AND {column} = ${number}::text" : $" AND {column} LIKE ${number}::text";

    private static string ValueOf(NamePart part) => part.Pattern ?? part.Value;

    private static NamePart? Folded(NamePart? part) =>
        part is null || part.IsQuoted ? part : part with { Value = part.Value.ToLowerInvariant(), Pattern = part.Pattern?.ToLowerInvariant() };

    private static async Task<IReadOnlyList<string>> SimilarAsync(ServerSession session, TableName name, CancellationToken cancellationToken)
    {
        List<FoundTable> all = await session.QueryAsync(
            Matching + " AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 2, 3 LIMIT 100000", static row => new FoundTable(row.GetString(1), row.GetString(2)), cancellationToken).ConfigureAwait(false);
        string wanted = name.Table.Value.ToLowerInvariant();
        int limit = Math.Max(2, wanted.Length / 3);
        return
        [
            .. all.Select(t => (Table: t, Distance: t.Name.Contains(wanted, StringComparison.OrdinalIgnoreCase) ? 0 : Distance(wanted, t.Name.ToLowerInvariant())))
                .Where(t => t.Distance <= limit).OrderBy(static t => t.Distance).Take(MostSimilar).Select(static t => t.Table.ToString()),
        ];
    }

    // Levenshtein's.
    private static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[^1];
    }
}
