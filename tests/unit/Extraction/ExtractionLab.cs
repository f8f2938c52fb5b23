using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Extraction;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Extraction;

/// <summary>A cluster with a small database "app" and a bigger one "other", and a folder in which it is restored beside.</summary>
internal sealed class ExtractionLab : IAsyncDisposable
{
    private ExtractionLab(RestoreLab lab)
    {
        Lab = lab;
        WorkPath = ServerAccount.Current.CreateFolder(lab.Folder.Combine("work"), TempFolder.Traversable);
        Results = Directory.CreateDirectory(lab.Folder.Combine("results")).FullName;
    }

    public RestoreLab Lab { get; }

    public PostgresCluster Cluster => Lab.Cluster;

    public string WorkPath { get; }

    public string Results { get; }

    public static async Task<ExtractionLab> StartAsync(PostgresClusterOptions? options = null)
    {
        var lab = new ExtractionLab(await RestoreLab.StartAsync(options));
        await lab.Cluster.ExecuteAsync("CREATE DATABASE app");
        await lab.Cluster.ExecuteAsync("CREATE DATABASE other");
        await lab.Cluster.ExecuteAsync("CREATE TABLE big AS SELECT g, repeat(md5(g::text), 8) v FROM generate_series(1, 200000) g; CREATE INDEX ON big (g)", "other");
        await lab.Cluster.ExecuteAsync("CREATE SCHEMA app; CREATE TABLE app.orders (id int PRIMARY KEY, v text); INSERT INTO app.orders SELECT g, md5(g::text) FROM generate_series(1, 5000) g", "app");
        return lab;
    }

    public TableExtractionOptions Options(RestoreTarget target, params string[] tables) => new()
    {
        Target = target,
        Database = "app",
        Tables = tables,
        Destination = Path.Combine(Results, "tables.dump"),
        Overwrite = true,
        WorkPath = WorkPath,
        RestoreCommand = _ => Lab.RestoreCommand,
    };

    public Task<TableExtractionResult> ExtractAsync(RestoreTarget target, params string[] tables) => ExtractAsync(Options(target, tables));

    public async Task<TableExtractionResult> ExtractAsync(TableExtractionOptions options, IOperationLog? log = null, CancellationToken cancellationToken = default)
    {
        TableExtraction extraction = await TableExtraction.PrepareAsync(Lab.Repository, options, log, null, cancellationToken);
        return await extraction.RunAsync(static error => throw error, cancellationToken);
    }

    /// <summary>Loads a dump into a database of the cluster, by pg_restore.</summary>
    public async Task LoadAsync(TableExtractionResult result, string database)
    {
        string copy = Lab.Folder.Combine("copy.dump");
        File.Copy(result.Destination!, copy, overwrite: true);
        ServerAccount.Current.Own(copy);
        await Cluster.RunToolAsync("pg_restore", "--exit-on-error", "-d", database, copy);
    }

    /// <summary>Nothing is left in the folder, and no server that ran there.</summary>
    public void RequireClean()
    {
        Assert.Empty(Directory.EnumerateFileSystemEntries(WorkPath));
        Assert.Empty(ServersBeside());
    }

    /// <summary>The processes of servers that run below the folder.</summary>
    public IReadOnlyList<string> ServersBeside() =>
        [.. Directory.EnumerateDirectories("/proc").Where(p => File.Exists(p + "/stat") && IsServer(p))];

    public async Task<PgBackupException> RefusedAsync(RestoreTarget target, string id, params string[] tables)
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => ExtractAsync(target, tables));
        Assert.Equal(id, error.Id);
        RequireClean();
        return error;
    }

    /// <summary>Writes a segment as an encrypted repository holds it.</summary>
    public async Task SealAsync(string segment, string target)
    {
        await using FileStream source = File.OpenRead(segment);
        await ObjectEncoding.PutEncodedAsync(
            Lab.Repository with { Store = new DirectoryStore(Path.GetDirectoryName(target)!) }, Path.GetFileName(target) + ".zst", CompressionMethod.Zstd, (stream, token) => source.CopyToAsync(stream, token), default);
    }

    // The one that others are children of.
    private bool IsServer(string process)
    {
        try
        {
            return new FileInfo(process + "/cwd").LinkTarget is { } folder && folder.StartsWith(WorkPath + "/", StringComparison.Ordinal)
                && File.ReadAllText(process + "/cmdline").Contains("\0-D\0", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // It has ended in between.
        }
    }

    public async Task<DateTimeOffset> NowAsync()
    {
        DateTime now = await Cluster.ScalarAsync<DateTime>("SELECT clock_timestamp()");
        await Task.Delay(20);
        return new DateTimeOffset(now);
    }

    public ValueTask DisposeAsync() => Lab.DisposeAsync();
}
