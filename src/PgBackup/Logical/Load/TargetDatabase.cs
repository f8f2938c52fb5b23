using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Server;

namespace PgBackup.Logical.Load;

/// <summary>The database that is restored into.</summary>
internal sealed class TargetDatabase(ServerConnectionSettings settings, string name)
{
    private const int ShownObjects = 3;

    // Objects that a user made, but for those of extensions: their numbers are those after initdb's (transam.h, FirstNormalObjectId).
    private const string UserObjects = """
        SELECT k.kind, k.name FROM (
            SELECT 'pg_class'::regclass AS class, c.oid, CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type' ELSE 'table' END AS kind,
                quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND n.nspname !~ '^pg_(toast|temp)'
            UNION ALL SELECT 'pg_type'::regclass, t.oid, 'type', quote_ident(n.nspname) || '.' || quote_ident(t.typname)
            FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype IN ('d', 'e', 'r') OR (t.typtype = 'b' AND t.typcategory <> 'A')
            UNION ALL SELECT 'pg_proc'::regclass, p.oid, 'function', quote_ident(n.nspname) || '.' || quote_ident(p.proname) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            UNION ALL SELECT 'pg_operator'::regclass, oid, 'operator', oprname FROM pg_operator
            UNION ALL SELECT 'pg_collation'::regclass, oid, 'collation', quote_ident(collname) FROM pg_collation
            UNION ALL SELECT 'pg_ts_config'::regclass, oid, 'text search configuration', quote_ident(cfgname) FROM pg_ts_config
            UNION ALL SELECT 'pg_namespace'::regclass, oid, 'schema', quote_ident(nspname) FROM pg_namespace WHERE nspname <> 'public' AND nspname !~ '^pg_(toast|temp)'
            UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, 'foreign-data wrapper', quote_ident(fdwname) FROM pg_foreign_data_wrapper
            UNION ALL SELECT 'pg_event_trigger'::regclass, oid, 'event trigger', quote_ident(evtname) FROM pg_event_trigger
            UNION ALL SELECT 'pg_publication'::regclass, oid, 'publication', quote_ident(pubname) FROM pg_publication
            UNION ALL SELECT 'pg_largeobject'::regclass, oid, 'large object', oid::text FROM pg_largeobject_metadata
        ) k
        WHERE (k.oid >= 16384 OR k.class = 'pg_largeobject'::regclass)
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = k.class AND d.objid = k.oid AND d.deptype = 'e')
        """;

    private const string Existing = """
        SELECT w.id FROM unnest($1::int[], $2::text[], $3::text[], $4::text[]) w(id, kind, schema, name)
        WHERE CASE w.kind
            WHEN 'SCHEMA' THEN EXISTS (SELECT FROM pg_namespace WHERE nspname = w.name)
            WHEN 'EXTENSION' THEN EXISTS (SELECT FROM pg_extension WHERE extname = w.name)
            WHEN 'TYPE' THEN EXISTS (SELECT FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = w.schema AND t.typname = w.name)
            WHEN 'FUNCTION' THEN EXISTS (
                SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                WHERE n.nspname = w.schema AND starts_with(w.name, p.proname || '(') AND w.name = p.proname || '('
                    || coalesce((SELECT string_agg(format_type(a.type, NULL), ', ' ORDER BY a.place) FROM unnest(p.proargtypes) WITH ORDINALITY a(type, place)), '') || ')')
            ELSE EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = w.schema AND c.relname = w.name) END
        """;

    private static readonly TimeSpan s_dropWait = TimeSpan.FromSeconds(15), s_dropPause = TimeSpan.FromMilliseconds(250);

    /// <summary>Its name.</summary>
    public string Name => name;

    /// <summary>The server's major version, and whether the database is there. Throws as <see cref="ServerSession.OpenAsync"/> does.</summary>
    public async Task<(int Major, bool Exists)> LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            ServerSession session = await ServerSession.OpenAsync(settings, name, cancellationToken).ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
                return (session.MajorVersion, true);
        }
        catch (PgBackupException error) when (error.InnerException is PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName })
        {
            ServerSession session = await ServerSession.OpenMaintenanceAsync(settings, cancellationToken).ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
                return (session.MajorVersion, false);
        }
    }

    /// <summary>Creates it from template0. Throws <c>DatabaseNotCreated</c>.</summary>
    public async Task CreateAsync(DatabaseTraits? traits, CancellationToken cancellationToken)
    {
        ServerSession session = await ServerSession.OpenMaintenanceAsync(settings, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            try
            {
                await session.ExecuteAsync($"CREATE DATABASE {SqlText.Identifier(name)} TEMPLATE template0{traits?.ToSql(session.MajorVersion)}", cancellationToken).ConfigureAwait(false);
            }
            catch (PgBackupException error) when (error.InnerException is PostgresException refused)
            {
                throw PgErrors.DatabaseNotCreated(name, session.Server, refused.MessageText, error);
            }
        }
    }

    /// <summary>What it holds, in a few words; null when it is empty.</summary>
    public async Task<string?> DescribeContentAsync(CancellationToken cancellationToken)
    {
        ServerSession session = await ServerSession.OpenAsync(settings, name, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            List<string> found = await session.QueryAsync($"{UserObjects} LIMIT {ShownObjects + 1}", row => $"the {row.GetString(0)} {row.GetString(1)}", cancellationToken).ConfigureAwait(false);
            return found.Count == 0 ? null : string.Join(", ", found.Take(ShownObjects)) + (found.Count > ShownObjects ? " and more" : "");
        }
    }

    /// <summary>Which of an archive's entries it has already.</summary>
    public async Task<HashSet<int>> FindAsync(IReadOnlyList<TocEntry> entries, CancellationToken cancellationToken)
    {
        if (entries.Count == 0)
            return [];
        ServerSession session = await ServerSession.OpenAsync(settings, name, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            await session.ExecuteAsync("SET search_path = ''", cancellationToken).ConfigureAwait(false);
            string[] kinds = [.. entries.Select(e => e.Kind switch { "DOMAIN" or "SHELL TYPE" => "TYPE", "PROCEDURE" or "AGGREGATE" => "FUNCTION", _ => e.Kind })];
            return [.. await session.QueryAsync(
                Existing, row => row.GetInt32(0), cancellationToken,
                (int[])[.. entries.Select(e => e.Id)], kinds, (string[])[.. entries.Select(e => e.Schema ?? "")], (string[])[.. entries.Select(e => e.Name)]).ConfigureAwait(false)];
        }
    }

    /// <summary>Drops it when nothing is in it. Returns whether it did; the sessions of a program that was ended may be there for a moment.</summary>
    public async Task<bool> DropIfEmptyAsync(CancellationToken cancellationToken)
    {
        if (await DescribeContentAsync(cancellationToken).ConfigureAwait(false) is not null)
            return false;
        ServerSession session = await ServerSession.OpenMaintenanceAsync(settings, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            for (long begin = Environment.TickCount64; ; await Task.Delay(s_dropPause, cancellationToken).ConfigureAwait(false))
            {
                try
                {
                    await session.ExecuteAsync($"DROP DATABASE {SqlText.Identifier(name)}", cancellationToken).ConfigureAwait(false);
                    return true;
                }
                catch (PgBackupException error) when (error.InnerException is PostgresException { SqlState: PostgresErrorCodes.ObjectInUse }
                    && Environment.TickCount64 - begin < s_dropWait.TotalMilliseconds)
                {
                    // Looked at again after a pause.
                }
            }
        }
    }
}
