using System.Diagnostics;
using System.Formats.Tar;
using PgBackup.Codecs;
using PgBackup.Logical.Dump;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;
using PgBackup.Tests.Kit;
using Xunit;

namespace PgBackup.Tests.Logical.Dump;

/// <summary>Lines that were logged.</summary>
internal sealed class KeptLog : IOperationLog
{
    private readonly List<(LogLevel Level, string Text)> _lines = [];

    public IReadOnlyList<(LogLevel Level, string Text)> Lines
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
            _lines.Add((level, message));
    }
}

/// <summary>A server with a database of many kinds of objects, for the tests of a class.</summary>
public class DumpServer : IAsyncLifetime
{
    private const string Everything = """"
        CREATE SCHEMA app; CREATE SCHEMA "App Space";
        CREATE TYPE app.mood AS ENUM ('sad', 'ok');
        CREATE DOMAIN app.positive AS int CHECK (VALUE > 0);
        CREATE TABLE app.orders(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood app.mood, n app.positive, twice int GENERATED ALWAYS AS (n * 2) STORED, raw bytea, note text);
        INSERT INTO app.orders(mood, n, raw, note) SELECT 'ok', g, decode(md5(g::text), 'hex'), repeat('ä\' || chr(9) || g, 5) FROM generate_series(1, 20000) g;
        CREATE TABLE app.parts(at date, v int) PARTITION BY RANGE (at);
        CREATE TABLE app.parts_1 PARTITION OF app.parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
        INSERT INTO app.parts SELECT '2020-02-02', g FROM generate_series(1, 100) g;
        CREATE MATERIALIZED VIEW app.sums AS SELECT count(*) FROM app.orders;
        CREATE VIEW app.seen AS SELECT * FROM app.orders WHERE n < 10;
        CREATE TABLE "App Space"."Größe.""x"""(x int);
        CREATE TABLE plain1(x int); CREATE TABLE plain2(x int); CREATE TABLE "-odd"(x int); CREATE TABLE pa$y(x int);
        COMMENT ON TABLE plain1 IS 'with a ''quote''';
        ALTER TABLE plain1 ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON plain1 USING (x > 0);
        CREATE FUNCTION app.note() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION app.note();
        SELECT lo_from_bytea(0, decode(repeat('00ff', 5000), 'hex'));
        ANALYZE;
        """";

    public static EncryptionKey Key { get; } = EncryptionKey.FromSettings(new string('5', 64), KeyTransform.Hex);

    public PostgresCluster Cluster { get; private set; } = null!;

    protected virtual PostgresClusterOptions ClusterOptions => new();

    public async Task InitializeAsync()
    {
        Cluster = await PostgresCluster.RunAsync(ClusterOptions);
        await Cluster.ExecuteAsync("CREATE ROLE reader LOGIN PASSWORD 'secret'");
        await Cluster.ExecuteAsync("CREATE DATABASE empty");
        await Cluster.ExecuteAsync("CREATE DATABASE everything");
        await Cluster.ExecuteAsync(Everything, "everything");
    }

    public async Task DisposeAsync() => await Cluster.DisposeAsync();

    public ServerConnectionSettings Settings(string user = "postgres") => new() { HostName = "127.0.0.1", Port = Cluster.Port, UserName = user };

    public DumpOptions Options(string? database, string user = "postgres") => new() { Server = Settings(user), Database = database };

    /// <summary>Brings a dump back to what pg_dump wrote: a file, or in directory format a folder.</summary>
    public static async Task FetchAsync(BackupRepository repository, DumpManifest manifest, string path)
    {
        if (manifest.Format == DumpFormat.Directory)
        {
            Directory.CreateDirectory(path);
            foreach (DumpObject item in manifest.Objects)
            {
                await using Stream part = await repository.OpenDecodedAsync(DumpLayout.ObjectKey(manifest.Name, item));
                await TarFile.ExtractToDirectoryAsync(part, path, overwriteFiles: false);
            }
            File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
            foreach (string file in Directory.EnumerateFiles(path))
                File.SetUnixFileMode(file, (UnixFileMode)0b110_100_100);
            return;
        }
        await using Stream content = await repository.OpenDecodedAsync(DumpLayout.ObjectKey(manifest.Name, Assert.Single(manifest.Objects)));
        await using FileStream target = File.Create(path);
        await content.CopyToAsync(target);
    }

    /// <summary>Restores a dump into a new database by PostgreSQL's own programs; returns its name.</summary>
    public async Task<string> RestoreAsync(BackupRepository repository, DumpManifest manifest)
    {
        using var folder = new TempFolder();
        string path = folder.Combine("dump");
        await FetchAsync(repository, manifest, path);
        return await RestoreAsync(path, manifest.Format);
    }

    public async Task<string> RestoreAsync(string path, DumpFormat format)
    {
        string name = $"restored_{Guid.NewGuid():N}";
        await Cluster.ExecuteAsync($"CREATE DATABASE {name} TEMPLATE template0");
        if (format == DumpFormat.Plain)
            await Cluster.RunToolAsync("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", name, "-f", path);
        else
            await Cluster.RunToolAsync("pg_restore", "--exit-on-error", "--dbname", name, path);
        return name;
    }

    /// <summary>Restores a dump and holds it against the database that it came from, by a dump of each.</summary>
    public async Task CompareAsync(BackupRepository repository, DumpManifest manifest, string database)
    {
        string restored = await RestoreAsync(repository, manifest);
        await CompareAsync(database, restored);
    }

    public async Task CompareAsync(string database, string restored)
    {
        Assert.Equal(await ScriptAsync(database), await ScriptAsync(restored));
        await Cluster.ExecuteAsync($"DROP DATABASE {restored}");
    }

    // Newer minor versions put a random word into their scripts (\restrict).
    private async Task<string> ScriptAsync(string database)
    {
        string quoted = database.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal);
        string script = await Cluster.RunToolAsync("pg_dump", $"--dbname=dbname='{quoted}'");
        return string.Join('\n', script.Split('\n').Where(line => !line.StartsWith("\\restrict", StringComparison.Ordinal) && !line.StartsWith("\\unrestrict", StringComparison.Ordinal)));
    }
}

/// <summary>The same on PostgreSQL 17, with its own programs.</summary>
public sealed class DumpServer17 : DumpServer
{
    protected override PostgresClusterOptions ClusterOptions => new() { Tools = PostgresTools.OfMajor(17) };
}
