using System.Diagnostics;
using System.Globalization;
using System.IO.Hashing;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Logical.Dump;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Kit.Stores;
using PgBackup.TestServers;
using Xunit;

namespace PgBackup.Tests.Logical.Dump;

/// <summary>Dumps into repositories, restored with PostgreSQL's own programs and compared by a second dump.</summary>
public sealed class DumpRoundTripTests(DumpServer server) : IClassFixture<DumpServer>
{
    [Theory]
    [InlineData(DumpFormat.Custom, false)]
    [InlineData(DumpFormat.Custom, true)]
    [InlineData(DumpFormat.Plain, true)]
    [InlineData(DumpFormat.Tar, false)]
    [InlineData(DumpFormat.Directory, false)]
    [InlineData(DumpFormat.Directory, true)]
    public async Task RestoresToTheSame(DumpFormat format, bool encrypted)
    {
        using var folder = new TempFolder();
        BackupRepository repository = NewRepository(folder, encrypted);
        DatabaseBackup backup = await DumpAsync(repository, server.Options("everything") with { Format = format, Label = "before 42", ThrottleLimit = 3 });

        Assert.Equal(("everything", format, BackupStatus.Complete, "before 42"), (backup.Database, backup.Format, backup.Status, backup.Label));
        DumpManifest manifest = (await DumpDocuments.TryReadManifestAsync(repository, backup.Name))!;
        Assert.Equal(encrypted, manifest.Encrypted);
        Assert.Equal(("UTF8", "C"), (manifest.Encoding, manifest.Collate));
        Assert.True(manifest.SnapshotLsn > new Lsn(0));
        Assert.NotNull(manifest.SystemIdentifier);
        DumpTables tables = await DumpDocuments.ReadTablesAsync(repository, backup.Name);
        Assert.Equal(manifest.TableCount, tables.Tables.Count);
        Assert.Contains(tables.Tables, t => t is { Schema: "App Space", Name: "Größe.\"x\"" });
        foreach (DumpObject item in manifest.Objects)
            await ProveAsync(repository, backup.Name, item);
        await server.CompareAsync(repository, manifest, "everything");
    }

    [Theory]
    [InlineData(CompressionMethod.Lz4)]
    [InlineData(CompressionMethod.None)]
    [InlineData(CompressionMethod.Brotli)]
    public async Task TakesTheCodecsOfARepository(CompressionMethod method)
    {
        using var folder = new TempFolder();
        BackupRepository repository = NewRepository(folder, encrypted: false) with { Compression = method };
        DatabaseBackup backup = await DumpAsync(repository, server.Options("everything"));
        DumpManifest manifest = (await DumpDocuments.TryReadManifestAsync(repository, backup.Name))!;
        Assert.Equal("dump.dump" + CompressionNames.Extension(method), Assert.Single(manifest.Objects).Key);
        await server.CompareAsync(repository, manifest, "everything");
    }

    [Fact]
    public async Task GoesToObjectStorage()
    {
        StoreServer store = await TestStores.CephAsync();
        var repository = new BackupRepository(ObjectStores.Open(await store.NewBucketAsync("dumps")), DumpServer.Key);
        foreach (DumpFormat format in new[] { DumpFormat.Custom, DumpFormat.Directory })
        {
            DatabaseBackup backup = await DumpAsync(repository, server.Options("everything") with { Format = format });
            await server.CompareAsync(repository, (await DumpDocuments.TryReadManifestAsync(repository, backup.Name))!, "everything");
        }
    }

    [Theory]
    [InlineData("a=b")]
    [InlineData("postgresql://x")]
    [InlineData("-leading")]
    [InlineData("Größe mit \"Quotes\" und 'noch einem'.x")]
    [InlineData("UPPER dbname=postgres")]
    public async Task TakesOddNames(string name)
    {
        await server.Cluster.ExecuteAsync($"CREATE DATABASE {Quote(name)}");
        await server.Cluster.ExecuteAsync("CREATE TABLE t AS SELECT 42 AS x", name);
        using var folder = new TempFolder();
        BackupRepository repository = NewRepository(folder, encrypted: false);
        foreach (DumpFormat format in new[] { DumpFormat.Custom, DumpFormat.Directory })
        {
            DatabaseBackup backup = await DumpAsync(repository, server.Options(name) with { Format = format, ThrottleLimit = 2 });
            Assert.Equal(name, backup.Database);
            Assert.Equal(1, backup.TableCount);
            await server.CompareAsync(repository, (await DumpDocuments.TryReadManifestAsync(repository, backup.Name))!, name);
        }
        DumpFileResult file = await DatabaseDumpJob.RunToFileAsync(
            server.Options(name), DumpDestination.PathIn(folder.Path, server.Options(name)), false, OperationLog.None, NoProgress.Instance);
        Assert.True(File.Exists(file.Path));
        await server.Cluster.ExecuteAsync($"DROP DATABASE {Quote(name)}");
    }

    [Fact]
    public async Task TakesAnEmptyDatabase()
    {
        using var folder = new TempFolder();
        BackupRepository repository = NewRepository(folder, encrypted: true);
        foreach (DumpFormat format in Enum.GetValues<DumpFormat>())
        {
            DatabaseBackup backup = await DumpAsync(repository, server.Options("empty") with { Format = format });
            Assert.Equal(0, backup.TableCount);
            await server.CompareAsync(repository, (await DumpDocuments.TryReadManifestAsync(repository, backup.Name))!, "empty");
        }
    }

    [Fact]
    public async Task TakesWhatAllDatabasesShare()
    {
        using var folder = new TempFolder();
        BackupRepository repository = NewRepository(folder, encrypted: false);
        DatabaseBackup backup = await DumpAsync(repository, server.Options(null) with { Content = DumpContent.Globals, RunId = "run" });
        Assert.Equal((DumpContent.Globals, null, "run", DumpFormat.Plain), (backup.Content, backup.Database, backup.RunId, backup.Format));
        string script = await ReadTextAsync(repository, backup);
        Assert.Contains("CREATE ROLE reader", script, StringComparison.Ordinal);
        Assert.Contains("SCRAM-SHA-256", script, StringComparison.Ordinal);

        var log = new KeptLog();
        backup = await DatabaseDumpJob.RunAsync(repository, server.Options(null, "reader") with { Content = DumpContent.Globals }, log, NoProgress.Instance);
        script = await ReadTextAsync(repository, backup);
        Assert.Contains("CREATE ROLE reader", script, StringComparison.Ordinal);
        Assert.DoesNotContain("SCRAM-SHA-256", script, StringComparison.Ordinal);
        Assert.Contains(log.Lines, line => line.Level == LogLevel.Warning && line.Text.Contains("without their passwords", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("app.*", null, null, null)]
    [InlineData("APP.Orders", null, null, null)]
    [InlineData("*.\"Größe.\"\"x\"\"\"", null, null, null)]
    [InlineData("plain?", null, null, null)]
    [InlineData("-odd", null, null, null)]
    [InlineData("pa$y", null, null, null)]
    [InlineData("(plain1|plain2)", "plain2", null, null)]
    [InlineData(null, "app.ord*", null, null)]
    [InlineData(null, null, "app", null)]
    [InlineData(null, null, "\"App Space\"", null)]
    [InlineData(null, "*.plain1", null, "app*")]
    public async Task ListsTheTablesThatPgDumpTakes(string? table, string? excludedTable, string? schema, string? excludedSchema)
    {
        using var folder = new TempFolder();
        BackupRepository repository = NewRepository(folder, encrypted: false);
        DatabaseBackup backup = await DumpAsync(repository, server.Options("everything") with
        {
            Tables = List(table), ExcludedTables = List(excludedTable), Schemas = List(schema), ExcludedSchemas = List(excludedSchema),
        });
        Assert.True(backup.IsPartial);
        DumpManifest manifest = (await DumpDocuments.TryReadManifestAsync(repository, backup.Name))!;
        string path = folder.Combine("dump");
        await DumpServer.FetchAsync(repository, manifest, path);
        string contents = await server.Cluster.RunToolAsync("pg_restore", "--list", path);
        string[] dumped = [.. contents.Split('\n').Where(line => line.Contains(" TABLE ", StringComparison.Ordinal) || line.Contains(" MATERIALIZED VIEW ", StringComparison.Ordinal))
            .Where(line => !line.Contains("TABLE DATA", StringComparison.Ordinal) && !line.Contains("TABLE ATTACH", StringComparison.Ordinal) && !line.Contains("VIEW DATA", StringComparison.Ordinal)
                && !line.Contains("COMMENT", StringComparison.Ordinal) && !line.StartsWith(';'))];
        DumpTables tables = await DumpDocuments.ReadTablesAsync(repository, backup.Name);
        Assert.NotEmpty(tables.Tables);
        Assert.True(dumped.Length == tables.Tables.Count, $"{string.Join("\n", dumped)}\n--\n{string.Join("\n", tables.Tables)}");
        Assert.All(tables.Tables, t => Assert.Contains(dumped, line => line.Contains($" {t.Schema} {t.Name} ", StringComparison.Ordinal)));

        static string[] List(string? pattern) => pattern is null ? [] : [pattern];
    }

    [Fact]
    public async Task ShowsOneMomentThoughTheDatabaseGoesOn()
    {
        using var folder = new TempFolder();
        BackupRepository repository = NewRepository(folder, encrypted: false);
        await server.Cluster.ExecuteAsync("CREATE DATABASE moving");
        await server.Cluster.ExecuteAsync("CREATE TABLE a(x int); CREATE TABLE b(x int)", "moving");
        using var stop = new CancellationTokenSource();
        Task writing = Task.Run(async () =>
        {
            for (int i = 0; !stop.IsCancellationRequested; i++)
                await server.Cluster.ExecuteAsync($"BEGIN; INSERT INTO a VALUES ({i}); INSERT INTO b VALUES ({i}); COMMIT", "moving");
        });
        DatabaseBackup backup = await DumpAsync(repository, server.Options("moving") with { Format = DumpFormat.Directory, ThrottleLimit = 2 });
        await stop.CancelAsync();
        await writing;
        DumpManifest manifest = (await DumpDocuments.TryReadManifestAsync(repository, backup.Name))!;
        string restored = await server.RestoreAsync(repository, manifest);
        Assert.Equal(0L, await server.Cluster.ScalarAsync<long>("SELECT count(*) FROM a FULL JOIN b USING (x) WHERE a.x IS NULL OR b.x IS NULL", restored));
        await server.Cluster.ExecuteAsync($"DROP DATABASE {restored}");
        await server.Cluster.ExecuteAsync("DROP DATABASE moving");
    }

    [Fact]
    public async Task ChoosesDatabases()
    {
        DumpSelection all = new() { All = true, Excluded = [new("postgres")] };
        Assert.Equal(["empty", "everything"], await DatabaseDumpJob.ChooseDatabasesAsync(server.Settings(), all));
        DumpSelection some = new() { Databases = [new("every*", name => name.StartsWith("every", StringComparison.Ordinal)), new("absent"), new("everything")] };
        Assert.Equal(["everything", "absent"], await DatabaseDumpJob.ChooseDatabasesAsync(server.Settings(), some));
        Assert.Equal(["postgres"], await DatabaseDumpJob.ChooseDatabasesAsync(server.Settings(), new DumpSelection()));
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(
            () => DatabaseDumpJob.ChooseDatabasesAsync(server.Settings(), new DumpSelection { Databases = [new("no*", _ => false)] }));
        Assert.Equal("DatabaseNotFound", error.Id);
    }

    private static BackupRepository NewRepository(TempFolder folder, bool encrypted) =>
        new(new DirectoryStore(folder.Combine("repository")), encrypted ? DumpServer.Key : null);

    private static Task<DatabaseBackup> DumpAsync(BackupRepository repository, DumpOptions options) =>
        DatabaseDumpJob.RunAsync(repository, options, OperationLog.None, NoProgress.Instance);

    private static async Task ProveAsync(BackupRepository repository, string name, DumpObject item)
    {
        string key = DumpLayout.ObjectKey(name, item);
        Assert.Equal(item.Size, (await repository.Store.StatAsync(key))!.Value.Size);
        await using Stream content = await repository.OpenDecodedAsync(key);
        var hash = new XxHash128();
        byte[] buffer = new byte[1 << 16];
        long total = 0;
        int read;
        while ((read = await content.ReadAsync(buffer)) > 0)
        {
            hash.Append(buffer.AsSpan(0, read));
            total += read;
        }
        Assert.Equal((item.UncompressedSize, item.Hash), (total, Convert.ToHexStringLower(hash.GetCurrentHash())));
    }

    private static async Task<string> ReadTextAsync(BackupRepository repository, DatabaseBackup backup)
    {
        DumpManifest manifest = (await DumpDocuments.TryReadManifestAsync(repository, backup.Name))!;
        using var reader = new StreamReader(await repository.OpenDecodedAsync(DumpLayout.ObjectKey(backup.Name, Assert.Single(manifest.Objects))));
        return await reader.ReadToEndAsync();
    }

    private static string Quote(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
}
