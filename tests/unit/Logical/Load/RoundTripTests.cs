using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Logical.Load;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Logical.Load;

/// <summary>What was dumped comes back: a second pg_dump tells.</summary>
public sealed class RoundTripTests(LoadLab lab) : IClassFixture<LoadLab>
{
    private const string EveryKind = """
        CREATE SCHEMA app; COMMENT ON SCHEMA app IS 'it''s';
        CREATE EXTENSION hstore SCHEMA app; CREATE EXTENSION pg_trgm;
        CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h'); CREATE FOREIGN TABLE app.far_away (a int) SERVER far;
        CREATE TYPE app.mood AS ENUM ('a', 'b'); CREATE TYPE app.pair AS (x int, y text); CREATE TYPE app.span AS RANGE (subtype = int8);
        CREATE DOMAIN app.positive AS int CHECK (VALUE > 0);
        CREATE FUNCTION app.twice(a int, b int DEFAULT 2) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 * $2';
        CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        -- \connect is a word here
        RETURN NEW; END$$;
        CREATE PROCEDURE app.nothing() LANGUAGE sql AS 'SELECT 1';
        CREATE AGGREGATE app.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
        CREATE TABLE app.customer (id serial PRIMARY KEY, mood app.mood DEFAULT 'a', tags app.hstore, name text COLLATE "C");
        CREATE TABLE app.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES app.customer, p app.pair, n app.positive, twice int GENERATED ALWAYS AS (app.twice(n)) STORED,
            raw bytea, note text, UNIQUE (note), EXCLUDE USING gist (int8range(id, id + 1) WITH &&));
        CREATE INDEX "odd Index" ON app.orders USING gin (note gin_trgm_ops);
        CREATE TRIGGER stamp BEFORE INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.stamp();
        CREATE RULE quiet AS ON DELETE TO app.orders DO ALSO NOTHING;
        ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON app.orders USING (id > 0);
        COMMENT ON TABLE app.orders IS 'orders'; COMMENT ON COLUMN app.orders.note IS 'note'; COMMENT ON CONSTRAINT orders_pkey ON app.orders IS 'key';
        GRANT SELECT ON app.orders TO PUBLIC; GRANT UPDATE (note) ON app.orders TO PUBLIC;
        CREATE STATISTICS app.st ON customer, note FROM app.orders;
        CREATE TABLE app.measured (at date, v int) PARTITION BY RANGE (at); CREATE TABLE app.measured_1 PARTITION OF app.measured FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
        CREATE TABLE app.measured_2 PARTITION OF app.measured DEFAULT; CREATE INDEX ON app.measured (v);
        CREATE VIEW app.seen AS SELECT id, note FROM app.orders; CREATE MATERIALIZED VIEW app.kept AS SELECT count(*) AS n FROM app.customer;
        CREATE SEQUENCE app.free START 7;
        CREATE TABLE "Odd ""Name"".x; DROP" ("a b" int, "ü" text); CREATE TABLE "-dash" (a int); CREATE TABLE public."app.orders" (a int);
        CREATE FUNCTION app.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION app.on_ddl();
        CREATE PUBLICATION pub FOR TABLE app.customer;
        INSERT INTO app.customer (mood, tags, name) SELECT 'b', 'k=>v', E'a\tb\nc\\d' || g FROM generate_series(1, 1000) g;
        INSERT INTO app.orders (customer, p, n, raw, note) SELECT g, ROW(g, 'x'::text)::app.pair, g, decode(repeat('00ff0a0d5c', 50), 'hex'), E'\\connect elsewhere ' || g FROM generate_series(1, 1000) g;
        INSERT INTO app.measured VALUES ('2020-05-05', 1), ('2030-01-01', 2); INSERT INTO "Odd ""Name"".x; DROP" VALUES (1, 'ä€😀'); REFRESH MATERIALIZED VIEW app.kept;
        SELECT lo_from_bytea(4711, '\x00010203ff');
        """;

    private static readonly string[] s_compressions = ["gzip", "zstd", "lz4"];

    private static int s_count;
    private static readonly SemaphoreSlim s_once = new(1);
    private static LoadLab? s_filled;

    [Theory]
    [InlineData("c", DumpFormat.Custom, 1)]
    [InlineData("c", DumpFormat.Custom, 3)]
    [InlineData("d", DumpFormat.Directory, 1)]
    [InlineData("d", DumpFormat.Directory, 3)]
    [InlineData("t", DumpFormat.Tar, null)]
    [InlineData("p", DumpFormat.Plain, null)]
    public async Task ABackupOfEveryKindOfObjectComesBack(string format, DumpFormat form, int? throttle)
    {
        string source = await FilledAsync(), path = await lab.DumpAsync(source, format), target = $"back {Interlocked.Increment(ref s_count)}'\\";
        BackupRepository repository = lab.NewRepository();
        string name = await LoadLab.StoreAsync(repository, path, form, source);
        (DatabaseRestoreResult result, List<PgBackupException> errors) = await LoadLab.RestoreAsync(
            await DumpSource.FromRepositoryAsync(repository, name), lab.Into(target) with { ThrottleLimit = throttle });
        Assert.Empty(errors);
        Assert.Equal(DatabaseRestoreStatus.Complete, result.Status);
        Assert.True(result.Created);
        Assert.Equal((target, name, form), (result.Database, result.Source, result.Format));
        Assert.Equal(await lab.PictureAsync(source), await lab.PictureAsync(target));
        await lab.Cluster.ExecuteAsync($"DROP DATABASE {SqlText.Identifier(target)}");
    }

    [Theory]
    [InlineData("c", DumpFormat.Custom)]
    [InlineData("d", DumpFormat.Directory)]
    [InlineData("t", DumpFormat.Tar)]
    [InlineData("p", DumpFormat.Plain)]
    public async Task AFileThatSomebodyElseWroteComesBack_ByItsContentAndNotItsName(string format, DumpFormat form)
    {
        string source = await FilledAsync(), path = await lab.DumpAsync(source, format), expected = await lab.PictureAsync(source);
        List<string> files = [path];
        if (form != DumpFormat.Directory)
        {
            foreach (string program in s_compressions)
            {
                string packed = lab.NewPath(".bak");
                (await ToolProcess.RunAsync(new ProcessStartInfo("sh", ["-c", $"{program} -c < '{path}' > '{packed}'"]))).EnsureSuccess();
                files.Add(packed);
            }
        }
        foreach (string file in files)
        {
            string target = $"file_{Interlocked.Increment(ref s_count)}";
            (DatabaseRestoreResult result, List<PgBackupException> errors) = await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(file), lab.Into(target));
            Assert.Empty(errors);
            Assert.Equal(form, result.Format);
            Assert.Equal(expected, await lab.PictureAsync(target));
            await lab.Cluster.ExecuteAsync($"DROP DATABASE {target}");
        }
    }

    [Fact]
    public async Task ADatabaseIsCreatedWithTheEncodingOfTheDump_AndNamesInItAreRead()
    {
        string source = await lab.CreateAsync("latin", "CREATE TABLE \"größe\" (\"ß\" text); INSERT INTO \"größe\" VALUES ('ÄÖÜ'); CREATE TABLE other (a int)", "ENCODING 'LATIN1' LOCALE 'C'");
        string path = await lab.DumpAsync(source, "c");
        await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into("latin 2"));
        Assert.Equal("LATIN1", await lab.Cluster.ScalarAsync<string>("SHOW server_encoding", "latin 2"));
        Assert.Equal(await lab.PictureAsync(source), await lab.PictureAsync("latin 2"));
        (DatabaseRestoreResult result, _) = await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into("latin 3") with { Tables = ["größe"] });
        Assert.Equal(1, result.TableCount);
        Assert.Equal("ÄÖÜ", await lab.Cluster.ScalarAsync<string>("SELECT \"ß\" FROM \"größe\"", "latin 3"));
        // A script does not tell; the manifest of a repository does.
        BackupRepository repository = lab.NewRepository();
        string name = await LoadLab.StoreAsync(repository, await lab.DumpAsync(source, "p"), DumpFormat.Plain, "latin 4", traits: new DatabaseTraits { Encoding = "LATIN1", Collate = "C", CharacterType = "C" });
        await LoadLab.RestoreAsync(await DumpSource.FromRepositoryAsync(repository, name), new LoadOptions { Server = lab.Server });
        Assert.Equal("LATIN1", await lab.Cluster.ScalarAsync<string>("SHOW server_encoding", "latin 4"));
    }

    [Theory]
    [InlineData("c")]
    [InlineData("d")]
    [InlineData("t")]
    [InlineData("p")]
    public async Task AnEmptyDatabaseComesBack(string format)
    {
        string source = $"empty_{format}";
        await lab.CreateAsync(source, "");
        (DatabaseRestoreResult result, List<PgBackupException> errors) = await LoadLab.RestoreAsync(
            await DumpSource.FromPathAsync(await lab.DumpAsync(source, format)), lab.Into($"{source}_2"));
        Assert.Empty(errors);
        Assert.Equal(DatabaseRestoreStatus.Complete, result.Status);
        Assert.Equal(await lab.PictureAsync(source), await lab.PictureAsync($"{source}_2"));
    }

    [Fact]
    public async Task SchemaFirst_DataLater_IsTheSameAsBoth()
    {
        string source = await lab.CreateAsync("halves", "CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100) g"), path = await lab.DumpAsync(source, "c");
        await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into("halves 2") with { SchemaOnly = true });
        Assert.Equal(0L, await lab.Cluster.ScalarAsync<long>("SELECT count(*) FROM t", "halves 2"));
        await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into("halves 2") with { DataOnly = true });
        Assert.Equal(await lab.PictureAsync(source), await lab.PictureAsync("halves 2"));
        // And once more over it, replaced.
        await lab.Cluster.ExecuteAsync("UPDATE t SET b = 'changed'", "halves 2");
        (_, List<PgBackupException> errors) = await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into("halves 2") with { Clean = true, IfExists = true, SingleTransaction = true });
        Assert.Empty(errors);
        Assert.Equal(await lab.PictureAsync(source), await lab.PictureAsync("halves 2"));
    }

    [Fact]
    public async Task OwnersAndRightsAreLeftOutOnRequest()
    {
        await lab.Cluster.ExecuteAsync("CREATE ROLE somebody");
        string source = await lab.CreateAsync("owned", "CREATE TABLE t (a int); ALTER TABLE t OWNER TO somebody; GRANT SELECT ON t TO PUBLIC"), path = await lab.DumpAsync(source, "c");
        await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), lab.Into("owned 2") with { NoOwner = true, NoPrivilege = true });
        Assert.Equal("postgres:", await lab.Cluster.ScalarAsync<string>("SELECT relowner::regrole || ':' || coalesce(relacl::text, '') FROM pg_class WHERE relname = 't'", "owned 2"));
    }

    [Fact]
    public async Task GlobalsAreRestored_AndWhatIsThereIsNoError_AndNoPasswordIsTold()
    {
        await lab.Cluster.ExecuteAsync("CREATE ROLE fresh LOGIN PASSWORD 'canary-1'; CREATE ROLE stays NOLOGIN; CREATE ROLE \"sta\"\"ys'\"");
        string path = lab.NewPath(".sql");
        (await ToolProcess.RunAsync(lab.Tool("pg_dumpall", ["--globals-only", $"--file={path}"]))).EnsureSuccess();
        await File.AppendAllTextAsync(path, "ALTER ROLE nobody_there PASSWORD 'canary-2';\n");
        await lab.Cluster.ExecuteAsync("DROP ROLE fresh");
        var log = new LinesLog();
        await Refused("RestoreOptionsInvalid", path, lab.Into("x") with { TargetDatabase = null });
        (DatabaseRestoreResult result, List<PgBackupException> errors) = await LoadLab.RestoreAsync(
            await DumpSource.FromPathAsync(path), new LoadOptions { Server = lab.Server, Globals = true }, log: log);
        Assert.True(await lab.Cluster.ScalarAsync<bool>("SELECT rolcanlogin AND EXISTS (SELECT FROM pg_authid a WHERE a.oid = r.oid AND rolpassword LIKE 'SCRAM%') FROM pg_roles r WHERE rolname = 'fresh'"));
        PgBackupException error = Assert.Single(errors);
        Assert.Contains("nobody_there", error.Message, StringComparison.Ordinal);
        Assert.Equal(DatabaseRestoreStatus.Partial, result.Status);
        Assert.Null(result.Database);
        Assert.Contains(log.Lines, line => line.Contains("\"stays\" is there already", StringComparison.Ordinal));
        Assert.DoesNotContain(log.Lines.Append(error.ToString()), line => line.Contains("canary", StringComparison.Ordinal) || line.Contains("SCRAM", StringComparison.Ordinal));
    }

    private static async Task Refused(string id, string path, LoadOptions options) =>
        Assert.Equal(id, (await Assert.ThrowsAsync<PgBackupException>(async () => await LoadLab.RestoreAsync(await DumpSource.FromPathAsync(path), options))).Id);

    private async Task<string> FilledAsync()
    {
        await s_once.WaitAsync();
        try
        {
            if (s_filled != lab)
                await lab.CreateAsync("filled", EveryKind);
            s_filled = lab;
            return "filled";
        }
        finally
        {
            s_once.Release();
        }
    }
}

/// <summary>A log that keeps its lines.</summary>
internal sealed class LinesLog : IOperationLog
{
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    public void Write(LogLevel level, string message)
    {
        lock (_lines)
            _lines.Add(message);
    }
}
