using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Logical.Dump;
using PgBackup.Logical.Load;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Logical.Dump;
using Xunit;

namespace PgBackup.Tests.Logical;

/// <summary>From a server through an encrypted repository and back, by our own dump and our own restore, with the tools of each version; compared by a second pg_dump.</summary>
public sealed partial class ServerVersionTests
{
    private const string Objects = """"
        CREATE SCHEMA app; CREATE SCHEMA "Äpp. Space";
        CREATE TYPE app.mood AS ENUM ('sad', 'it''s ok'); CREATE TYPE app.pair AS (a int, b text); CREATE DOMAIN app.positive AS int CHECK (VALUE > 0);
        CREATE TABLE app.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood app.mood, n app.positive, twice int GENERATED ALWAYS AS (n * 2) STORED, p app.pair, raw bytea);
        INSERT INTO app.orders (mood, n, p, raw) SELECT 'sad', g, ROW(g, E'a\tb\n\\.')::app.pair, decode(md5(g::text) || '000a0d5c', 'hex') FROM generate_series(1, 3000) g;
        CREATE TABLE app.parts (at date, v int) PARTITION BY RANGE (at); CREATE TABLE app.parts_1 PARTITION OF app.parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
        CREATE TABLE app.parts_rest PARTITION OF app.parts DEFAULT; INSERT INTO app.parts VALUES ('2020-02-02', 1), ('2030-01-01', 2);
        CREATE TABLE "Äpp. Space"."-Wei""rd. T'x" ("Col X" bigint REFERENCES app.orders, "sel;ect" text); INSERT INTO "Äpp. Space"."-Wei""rd. T'x" VALUES (1, 'ä€😀');
        ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON app.orders USING (n > 0); COMMENT ON TABLE app.orders IS 'it''s "the" table';
        CREATE MATERIALIZED VIEW app.sums AS SELECT mood, count(*) FROM app.orders GROUP BY mood; CREATE VIEW app.seen AS SELECT id FROM app.orders; CREATE SEQUENCE app.free START 7;
        CREATE FUNCTION app.note() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION app.note();
        SELECT lo_from_bytea(4711, decode(repeat('00ff', 5000), 'hex'));
        """";

    [Theory]
    [InlineData(15)]
    [InlineData(17)]
    public async Task EveryFormatComesBack(int major)
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync(new PostgresClusterOptions { Tools = PostgresTools.OfMajor(major) });
        using var folder = new TempFolder();
        var repository = new BackupRepository(new DirectoryStore(folder.Combine("repository")), DumpServer.Key);
        const string Source = "-a \"name\" with='everything'\\";
        await cluster.ExecuteAsync($"CREATE DATABASE {SqlText.Identifier(Source)}");
        await cluster.ExecuteAsync(Objects, Source);
        string expected = await PictureAsync(cluster, Source);
        foreach (DumpFormat format in Enum.GetValues<DumpFormat>())
        {
            DatabaseBackup backup = await DatabaseDumpJob.RunAsync(
                repository, new DumpOptions { Server = Server(cluster), Database = Source, Format = format, ThrottleLimit = 2 }, OperationLog.None, NoProgress.Instance);
            Assert.Equal((major, major), (backup.ServerVersion!.Major, backup.ToolVersion!.Major));
            string target = $"{Source} {format}";
            DatabaseRestoreResult result = await RestoreAsync(cluster, repository, backup.Name, target);
            Assert.Equal(DatabaseRestoreStatus.Complete, result.Status);
            Assert.Contains($" {major}.", result.Tool, StringComparison.Ordinal);
            Assert.Equal(expected, await PictureAsync(cluster, target));
        }
        await cluster.StopAsync();
    }

    [Theory]
    [InlineData("SQL_ASCII", DumpFormat.Custom)]
    [InlineData("SQL_ASCII", DumpFormat.Plain)]
    [InlineData("LATIN1", DumpFormat.Directory)]
    [InlineData("LATIN1", DumpFormat.Plain)]
    [InlineData("WIN1252", DumpFormat.Tar)]
    [InlineData("WIN1252", DumpFormat.Plain)]
    public async Task EveryByteOfAnEncodingComesBack(string encoding, DumpFormat format)
    {
        await using PostgresCluster cluster = await PostgresCluster.RunAsync(new PostgresClusterOptions { Tools = PostgresTools.OfMajor(17) });
        using var folder = new TempFolder();
        var repository = new BackupRepository(new DirectoryStore(folder.Combine("repository")), null);
        await cluster.ExecuteAsync($"CREATE DATABASE source ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0");
        // Every byte but NUL; where the server knows what a byte means, in a name, too.
        await cluster.ExecuteAsync("CREATE TABLE t AS SELECT g AS id, repeat(chr(g), 3) AS v FROM generate_series(1, 255) g", "source");
        string name = encoding == "SQL_ASCII" ? "'plain'" : "'gr' || chr(246) || 'n'";
        await cluster.ExecuteAsync($"DO $$ BEGIN EXECUTE 'CREATE TABLE ' || quote_ident({name}) || '(x int)'; END $$", "source");
        const string Digest = "SELECT (SELECT md5(string_agg(v, ',' ORDER BY id)) FROM t) || (SELECT md5(string_agg(relname, ',' ORDER BY relname)) FROM pg_class WHERE relkind = 'r') || current_setting('server_encoding')";
        DatabaseBackup backup = await DatabaseDumpJob.RunAsync(repository, new DumpOptions { Server = Server(cluster), Database = "source", Format = format }, OperationLog.None, NoProgress.Instance);
        Assert.Equal(2, backup.TableCount);
        Assert.Equal(DatabaseRestoreStatus.Complete, (await RestoreAsync(cluster, repository, backup.Name, "target")).Status);
        Assert.Equal(await cluster.ScalarAsync<string>(Digest, "source"), await cluster.ScalarAsync<string>(Digest, "target"));
        await cluster.StopAsync();
    }

    private static ServerConnectionSettings Server(PostgresCluster cluster) => new() { HostName = "127.0.0.1", Port = cluster.Port, UserName = "postgres" };

    private static async Task<DatabaseRestoreResult> RestoreAsync(PostgresCluster cluster, BackupRepository repository, string name, string target)
    {
        await using DumpSource source = await DumpSource.FromRepositoryAsync(repository, name);
        return await DatabaseLoad.RunAsync(source, new LoadOptions { Server = Server(cluster), TargetDatabase = target }, OperationLog.None, NoProgress.Instance, static error => throw error, default);
    }

    private static async Task<string> PictureAsync(PostgresCluster cluster, string database)
    {
        var start = new ProcessStartInfo(cluster.Tools.Tool("pg_dump"));
        start.Environment["PGHOST"] = "127.0.0.1";
        start.Environment["PGPORT"] = cluster.Port.ToString(CultureInfo.InvariantCulture);
        start.Environment["PGUSER"] = "postgres";
        start.Environment["PGDATABASE"] = database;
        return RestrictPattern().Replace((await ToolProcess.RunAsync(start)).EnsureSuccess().Output, "");
    }

    [GeneratedRegex(@"^\\(un)?restrict .*$", RegexOptions.Multiline)]
    private static partial Regex RestrictPattern();
}
