using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Postgres;
using PgBackup.Tests.Restore;
using PgBackup.Wal.Integrity;

namespace PgBackup.Tests.Wal.Integrity;

/// <summary>
/// An archive that a real server has written: a backup, some segments of 1 MB, two promotions inside one segment, some more. The server is gone; tests work on copies.
/// </summary>
public sealed class ArchiveLab : IAsyncLifetime
{
    private RestoreLab _lab = null!;

    public WalSegmentSize Size { get; } = new(1 << 20);

    public string Backup { get; private set; } = "";

    public TimelineHistory History { get; private set; } = null!;

    /// <summary>The number of the segment with both switches.</summary>
    public ulong SwitchNumber { get; private set; }

    internal PostgresTools Tools { get; init; } = PostgresTools.OfMajor(15);

    public async Task InitializeAsync()
    {
        _lab = await RestoreLab.StartAsync(new PostgresClusterOptions { WalSegmentMegabytes = 1, Tools = Tools });
        PostgresCluster cluster = _lab.Cluster;
        Backup = (await _lab.BackupAsync()).Name;
        await WriteAsync(cluster, 4_000_000);
        // What is not archived yet when a server begins recovery is removed by its first restartpoint.
        await _lab.ArchiveAsync();
        // Without a clean stop the log goes on in the same segment.
        for (int i = 0; i < 2; i++)
        {
            await cluster.ExecuteAsync($"INSERT INTO t VALUES ('before promotion {i}')");
            await cluster.StopAsync(StopMode.Immediate);
            await WalLoad.PromoteAsync(cluster);
        }
        await WriteAsync(cluster, 3_000_000);
        await _lab.ArchiveAsync();
        History = (await WalArchive.ReadHistoryAsync(_lab.Repository, new TimelineId(3)))!;
        SwitchNumber = Size.SegmentNumberOf(History.Switches[0].SwitchPoint);
        await cluster.StopAsync();
    }

    public async Task DisposeAsync() => await _lab.DisposeAsync();

    /// <summary>A copy that may be damaged.</summary>
    internal BackupRepository CopyTo(TempFolder folder)
    {
        string target = folder.Combine("repo");
        foreach (string file in Directory.EnumerateFiles(_lab.RepositoryPath, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(target, Path.GetRelativePath(_lab.RepositoryPath, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        return new BackupRepository(new DirectoryStore(target), null);
    }

    internal string PathOf(BackupRepository repository, ulong number) => WalSamples.ObjectPath(repository, History.SegmentFor(number, Size).ToString());

    /// <summary>The number of the newest segment along the history.</summary>
    internal ulong LastOf(BackupRepository repository) => Directory.GetFiles(Path.Combine(repository.Location, RepositoryLayout.WalFolder))
        .Select(f => WalSegmentName.TryParse(Path.GetFileName(f), out WalSegmentName name) && name.Timeline == History.Timeline ? name.NumberFor(Size) : 0).Max();

    /// <summary>Makes everything look as if it had been stored long ago: nothing is on the way any more.</summary>
    internal static void Age(BackupRepository repository)
    {
        foreach (string file in Directory.GetFiles(Path.Combine(repository.Location, RepositoryLayout.WalFolder)))
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddHours(-3));
    }

    internal static async Task<WalArchiveCheck> CheckAsync(BackupRepository repository, WalCheckLevel level = WalCheckLevel.Names, int chunk = 3) =>
        Assert.Single(await WalArchiveChecker.RunAsync(repository, new WalCheckOptions { Level = level, ChunkLength = chunk, ThrottleLimit = 2 }).ToListAsync());

    private static async Task WriteAsync(PostgresCluster cluster, int bytes)
    {
        await cluster.ExecuteAsync("CREATE TABLE IF NOT EXISTS w (i int, t text); INSERT INTO w SELECT g, repeat('x', 300) FROM generate_series(1, 3000) g");
        await cluster.ExecuteAsync("CREATE TABLE IF NOT EXISTS m (i int); INSERT INTO m SELECT generate_series(1, 500); UPDATE w SET i = i + 1; CHECKPOINT");
        await cluster.ScalarAsync<string>($"SELECT pg_logical_emit_message(false, 'big', repeat('y', {bytes / 2}))::text");
        await cluster.ExecuteAsync("UPDATE w SET i = i + 1; DELETE FROM m");
    }
}
