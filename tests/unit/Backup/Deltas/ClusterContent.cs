using System.Text;
using Npgsql;

namespace PgBackup.Tests.Backup.Deltas;

/// <summary>What is in a cluster, and whether its files agree with one another.</summary>
internal static class ClusterContent
{
    /// <summary>Every row of every table of every database, as one line a table; unlogged ones are empty after any recovery.</summary>
    public static async Task<string> DescribeAsync(Func<string, string> connectionStringFor)
    {
        var text = new StringBuilder();
        foreach (string database in await ListAsync(connectionStringFor("postgres"), "SELECT datname FROM pg_database WHERE datallowconn AND datconnlimit <> -2 ORDER BY 1"))
        {
            string at = connectionStringFor(database);
            foreach (string table in await ListAsync(at, """
                SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
                WHERE relkind IN ('r', 'S') AND relpersistence = 'p' AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1
                """))
            {
                string row = table == "public.s" ? "last_value::text" : "t::text";
                List<string> sums = await ListAsync(at, $"SELECT count(*) || ' ' || coalesce(md5(string_agg({row}, ',' ORDER BY {row} COLLATE \"C\")), '') FROM {table} t");
                text.Append(database).Append(' ').Append(table).Append(' ').AppendLine(sums[0]);
            }
        }
        return text.ToString();
    }

    /// <summary>What amcheck and pg_visibility find wrong, and where an index-only scan counts other rows than the table has; empty when all is well.</summary>
    public static async Task<string> FaultsAsync(string connectionString)
    {
        var faults = new List<string>();
        faults.AddRange(await ListAsync(connectionString, """
            SELECT format('heap %s block %s: %s', c.oid::regclass, v.blkno, v.msg) FROM pg_class c, LATERAL verify_heapam(c.oid) v
            WHERE c.relkind IN ('r', 't', 'm') AND c.relpersistence = 'p'
            """));
        faults.AddRange(await ListAsync(connectionString, """
            SELECT format('not visible in %s at %s', c.oid::regclass, t) FROM pg_class c, LATERAL pg_check_visible(c.oid) t WHERE c.relkind IN ('r', 't', 'm') AND c.relpersistence = 'p'
            UNION ALL
            SELECT format('not frozen in %s at %s', c.oid::regclass, t) FROM pg_class c, LATERAL pg_check_frozen(c.oid) t WHERE c.relkind IN ('r', 't', 'm') AND c.relpersistence = 'p'
            """));
        foreach (string index in await ListAsync(connectionString, """
            SELECT c.oid::regclass::text FROM pg_class c JOIN pg_am a ON a.oid = c.relam AND a.amname = 'btree' WHERE c.relkind = 'i' AND c.relpersistence = 'p'
            """))
        {
            try
            {
                await ListAsync(connectionString, $"SELECT bt_index_check('{index}', true)::text");
            }
            catch (PostgresException error)
            {
                faults.Add($"index {index}: {error.MessageText}");
            }
        }
        foreach (string step in (string[])["", "DELETE FROM a WHERE id % 3 = 0;"])
        {
            // Deleting clears a bit of the map only where the page itself says that it is set: a map that knows more than its heap shows here.
            List<string> byIndex = await ListAsync(connectionString, step + "SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(*)::text FROM a WHERE id > 0");
            List<string> byTable = await ListAsync(connectionString, "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SELECT count(*)::text FROM a WHERE id > 0");
            if (byIndex[0] != byTable[0])
                faults.Add($"{(step.Length == 0 ? "" : "after a DELETE ")}an index-only scan of a counts {byIndex[0]} rows, the table has {byTable[0]}");
        }
        return string.Join('\n', faults);
    }

    /// <summary>The one value that a query returns, as text.</summary>
    public static async Task<string> OneAsync(string connectionString, string sql) => (await ListAsync(connectionString, sql))[0];

    private static async Task<List<string>> ListAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 300 };
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await reader.ReadAsync())
            rows.Add(reader.GetValue(0) as string ?? "");
        return rows;
    }
}
