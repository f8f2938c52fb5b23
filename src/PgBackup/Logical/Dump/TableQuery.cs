using System.Globalization;
using System.Text;
using PgBackup.Postgres.Server;
using PgBackup.Repository.Dumps;

namespace PgBackup.Logical.Dump;

/// <summary>The tables that a dump holds, and those of them that the role may not read.</summary>
/// <param name="Tables">By schema and name.</param>
/// <param name="Unreadable">Some of them, quoted.</param>
internal sealed record DumpedTables(IReadOnlyList<DumpTable> Tables, IReadOnlyList<string> Unreadable);

/// <summary>Asks the server which tables pg_dump will dump, by its own rules (selectDumpableTable and expand_table_name_patterns in src/bin/pg_dump/pg_dump.c).</summary>
internal sealed class TableQuery
{
    private const int NamedUnreadable = 5;

    private readonly List<object> _parameters = [];

    private TableQuery()
    {
    }

    public static async Task<DumpedTables> RunAsync(ServerSession session, DumpOptions options, CancellationToken cancellationToken)
    {
        var query = new TableQuery();
        string sql = query.Build(options);
        var unreadable = new List<string>();
        List<DumpTable> tables = await session.QueryAsync(sql, row =>
        {
            if (!row.GetBoolean(5) && unreadable.Count < NamedUnreadable)
                unreadable.Add(row.GetString(4));
            float rows = row.GetFloat(2);
            return new DumpTable(row.GetString(0), row.GetString(1), rows < 0 ? null : (long)rows, row.IsDBNull(3) ? null : row.GetInt64(3));
        }, cancellationToken, [.. query._parameters]).ConfigureAwait(false);
        return new DumpedTables(tables, unreadable);
    }

    private string Build(DumpOptions options)
    {
        var sql = new StringBuilder("""
            SELECT n.nspname::text, c.relname::text, CASE WHEN c.reltuples = 0 AND c.relpages = 0 THEN -1 ELSE c.reltuples END::real, pg_catalog.pg_total_relation_size(c.oid),
                   pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
                   c.relkind NOT IN ('r', 'm') OR pg_catalog.has_table_privilege(c.oid, 'SELECT')
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't'
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
            """);
        if (options.Tables.Count > 0)
            sql.Append(" AND (").AppendJoin(" OR ", options.Tables.Select(TableCondition)).Append(')');
        else
        {
            sql.Append(options.Schemas.Count > 0
                ? $" AND ({string.Join(" OR ", options.Schemas.Select(SchemaCondition))})"
                : " AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'");
            foreach (string pattern in options.ExcludedSchemas)
                sql.Append(" AND NOT ").Append(SchemaCondition(pattern));
        }
        foreach (string pattern in options.ExcludedTables)
            sql.Append(" AND NOT ").Append(TableCondition(pattern));
        return sql.Append(" ORDER BY n.nspname, c.relname").ToString();
    }

    private string SchemaCondition(string pattern) => $"n.nspname OPERATOR(pg_catalog.~) {Add(NamePattern.Parse(pattern).Name)}";

    private string TableCondition(string pattern)
    {
        var parsed = NamePattern.Parse(pattern);
        string name = $"c.relname OPERATOR(pg_catalog.~) {Add(parsed.Name)}";
        return parsed.Schema is null
            ? $"({name} AND pg_catalog.pg_table_is_visible(c.oid))"
            : $"({name} AND n.nspname OPERATOR(pg_catalog.~) {Add(parsed.Schema)})";
    }

    private string Add(string value)
    {
        _parameters.Add(value);
        return string.Create(CultureInfo.InvariantCulture, $"${_parameters.Count}::text");
    }
}
