using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup.Deltas;

/// <summary>Does to a cluster, at random, what users and the server itself do between two backups. A seed gives the same history again.</summary>
internal sealed class RandomHistory(PostgresCluster cluster, int seed)
{
    private readonly Random _random = new(seed);
    private readonly List<string> _told = [];
    private int _next = 1;
    private bool _hasExtra;

    /// <summary>Whether the server is made to crash now and then.</summary>
    public bool Crashes { get; init; } = true;

    /// <summary>What was done, to be shown when a comparison fails.</summary>
    public string Told => $"seed {seed}: {string.Join("; ", _told)}";

    public async Task BeginAsync()
    {
        await cluster.ExecuteAsync("""
            CREATE EXTENSION amcheck; CREATE EXTENSION pg_visibility;
            CREATE TABLE a (id int PRIMARY KEY, grp int, note text); CREATE INDEX a_grp ON a (grp);
            CREATE TABLE b (id int PRIMARY KEY, words tsvector); CREATE INDEX b_words ON b USING gin (words);
            CREATE TABLE p (id int, part int, note text) PARTITION BY LIST (part);
            CREATE TABLE p0 PARTITION OF p FOR VALUES IN (0); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
            CREATE UNLOGGED TABLE u (id int PRIMARY KEY, note text); CREATE SEQUENCE s;
            INSERT INTO a SELECT i, i % 100, repeat(md5(i::text), 8) FROM generate_series(1, 20000) i;
            INSERT INTO u SELECT i, 'u' FROM generate_series(1, 500) i;
            """);
        _next = 20001;
        await cluster.CreateTablespaceAsync("side"); // Before the first backup: replaying its creation elsewhere would lead into the source's folder.
        await cluster.ExecuteAsync("VACUUM (ANALYZE) a");
    }

    /// <summary>Some steps.</summary>
    public async Task StepAsync(int steps)
    {
        for (int i = 0; i < steps; i++)
            await OneAsync();
    }

    private async Task OneAsync()
    {
        int from = _random.Next(1, _next);
        int many = _random.Next(1, 3000);
        switch (_random.Next(27))
        {
            case 0 or 1 or 2:
                await Do($"INSERT INTO a SELECT i, i % 100, repeat(md5(i::text), 8) FROM generate_series({_next}, {_next + many}) i");
                _next += many + 1;
                break;
            case 3 or 4:
                await Do($"UPDATE a SET note = md5(random()::text) WHERE id BETWEEN {from} AND {from + many}");
                break;
            case 5:
                await Do($"UPDATE a SET grp = grp + 1 WHERE id % {_random.Next(20, 300)} = 0");
                break;
            case 6:
                await Do($"DELETE FROM a WHERE id BETWEEN {from} AND {from + (many / 4)}");
                break;
            case 7: // From the end, so that VACUUM cuts the file; what follows makes it grow again.
                await Do($"DELETE FROM a WHERE id > {_next - many}");
                await Do("VACUUM (TRUNCATE) a");
                break;
            case 8 or 9:
                await Do($"VACUUM {(_random.Next(2) == 0 ? "" : "(FREEZE) ")}a");
                break;
            case 10:
                await Do("VACUUM FULL a");
                break;
            case 11:
                await Do("CLUSTER a USING a_pkey");
                break;
            case 12:
                await Do("TRUNCATE b");
                break;
            case 13 or 14:
                await Do($"INSERT INTO b SELECT i, to_tsvector('simple', md5(i::text) || ' ' || md5((i + 1)::text)) FROM generate_series({from}, {from + many}) i ON CONFLICT (id) DO UPDATE SET words = EXCLUDED.words");
                break;
            case 15:
                await Do("REINDEX INDEX a_grp");
                break;
            case 16:
                await Do($"INSERT INTO p SELECT i, i % 2, 'p' || i FROM generate_series({from}, {from + many}) i");
                break;
            case 17:
                await Do($"CREATE TABLE x{_next} AS SELECT * FROM a LIMIT {many}");
                _next++;
                break;
            case 18:
                await Do("DO $$ DECLARE t text; BEGIN SELECT relname INTO t FROM pg_class WHERE relname ~ '^x[0-9]' AND relkind = 'r' LIMIT 1; IF t IS NOT NULL THEN EXECUTE 'DROP TABLE ' || t; END IF; END $$");
                break;
            case 19:
                await ExtraDatabaseAsync();
                break;
            case 20:
                await SpacesAsync();
                break;
            case 21:
                await Do("SELECT nextval('s') FROM generate_series(1, 100)");
                break;
            case 22:
                await Do($"INSERT INTO u SELECT i, 'u' FROM generate_series({from}, {from + 100}) i ON CONFLICT DO NOTHING");
                break;
            case 23:
                await Do("CHECKPOINT");
                break;
            case 24 when Crashes:
                _told.Add("crash");
                await cluster.RestartAsync(StopMode.Immediate);
                break;
            case 25: // Read, so that hint bits are written without a change of any row.
                await Do("SELECT count(*) FROM a");
                await Do("CHECKPOINT");
                break;
            default:
                await Do("VACUUM");
                break;
        }
    }

    private async Task ExtraDatabaseAsync()
    {
        if (_hasExtra)
        {
            await Do("DROP DATABASE extra");
            _hasExtra = false;
            // With the OID of the one that is gone, and copied file by file: pages of new files with old LSNs.
            if (cluster.Tools.Major < 15 || _random.Next(2) == 0)
                return;
            await Do("CREATE DATABASE extra OID 999999 STRATEGY FILE_COPY");
        }
        else
        {
            await Do(cluster.Tools.Major < 15 ? "CREATE DATABASE extra" : $"CREATE DATABASE extra OID 999999 STRATEGY {(_random.Next(2) == 0 ? "FILE_COPY" : "WAL_LOG")}");
        }
        _hasExtra = true;
        await Do("CREATE TABLE e AS SELECT i AS id, md5(random()::text) AS note FROM generate_series(1, 3000) i", "extra");
    }

    private async Task SpacesAsync()
    {
        string place = _random.Next(2) == 0 ? "side" : "pg_default";
        if (_hasExtra && _random.Next(2) == 0)
            await Do($"ALTER DATABASE extra SET TABLESPACE {place}");
        else
            await Do($"ALTER TABLE {(_random.Next(2) == 0 ? "a" : "b")} SET TABLESPACE {place}");
    }

    private async Task Do(string sql, string database = "postgres")
    {
        _told.Add(sql);
        await cluster.ExecuteAsync(sql, database);
    }
}
