using PgBackup.Errors;
using PgBackup.Restore;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Wal.Native;

/// <summary>Real servers that recover, follow and are rewound through the native fetch.</summary>
public sealed class RecoveryTests : IAsyncLifetime
{
    private readonly NativeServerLab _lab = new();
    private PostgresCluster _primary = null!;

    public async Task InitializeAsync()
    {
        _primary = await _lab.RunAsync(new PostgresClusterOptions
        {
            WalSegmentMegabytes = 1,
            Settings = new Dictionary<string, string> { ["max_wal_size"] = "4MB", ["min_wal_size"] = "2MB", ["restore_command"] = _lab.RestoreCommand },
        });
        await _primary.ExecuteAsync("CREATE TABLE t AS SELECT g, repeat(md5(g::text), 4) AS v FROM generate_series(1, 1000) g");
        await _lab.ArchiveAsync(_primary);
    }

    public Task DisposeAsync() => _lab.DisposeAsync().AsTask();

    [Fact]
    public async Task ADamagedObjectStopsARecoveryInsteadOfEndingIt()
    {
        await _lab.Restores.BackupAsync(_primary.ConnectionString);
        // The plan reads up to the first commit behind the backup, and is not to meet the damage: that is for the recovery.
        await FillAsync(_primary, 1);
        await _lab.ArchiveAsync(_primary);
        await FillAsync(_primary, 20_000);
        string middle = await _lab.ArchiveAsync(_primary);
        await FillAsync(_primary, 20_000);
        await _lab.ArchiveAsync(_primary);
        string stored = Path.Combine(_lab.WalFolder, middle + ".zst");
        // Where the last row ended just before it, the segment holds little: half of what there is, not a number of bytes.
        byte[] content = File.ReadAllBytes(stored);
        content.AsSpan(content.Length / 2).Clear();
        File.WriteAllBytes(stored, content);

        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => _lab.Restores.RestoreAsync(RestoreTarget.Latest));

        Assert.Contains(middle, error.Message + error.Hint + File.ReadAllText(_lab.FetchLog), StringComparison.Ordinal);
        string data = _lab.Restores.NewDestination();
        Assert.False(File.Exists(Path.Combine(data, "postmaster.pid")));
        Assert.False(File.Exists(Path.Combine(data, "pg_wal", "00000002.history")), "It has ended the recovery.");
    }

    [Fact]
    public async Task AStandbyFollowsTheArchiveOntoAnotherTimeline()
    {
        PostgresCluster follower = _lab.Keep(await _primary.RunStandbyAsync(new Dictionary<string, string> { ["primary_conninfo"] = "", ["wal_retrieve_retry_interval"] = "200ms" }));
        PostgresCluster next = _lab.Keep(await _primary.RunStandbyAsync());
        await FillAsync(_primary, 20_000);
        await _lab.ArchiveAsync(_primary);
        await next.WaitForReplayAsync(await _primary.WalEndAsync());
        await _primary.StopAsync();
        await next.ExecuteAsync("SELECT pg_promote()");
        await FillAsync(next, 30_000);
        await _lab.ArchiveAsync(next);

        await NativeServerLab.UntilAsync(
            () => follower.ScalarAsync<long>("SELECT count(*) FROM t").GetAwaiter().GetResult() == 51_000, TimeSpan.FromMinutes(1), () => File.ReadAllText(follower.LogFile));

        Assert.True(await follower.ScalarAsync<bool>("SELECT pg_is_in_recovery()"));
        Assert.Contains("was taken from what had been fetched ahead", File.ReadAllText(_lab.FetchLog), StringComparison.Ordinal);
        await _lab.ProveArchiveAsync();
    }

    [Fact]
    public async Task AnOldPrimaryIsRewoundAndNothingStrangeIsLeftInIt()
    {
        PostgresCluster next = _lab.Keep(await _primary.RunStandbyAsync());
        await next.WaitForReplayAsync(await _primary.WalEndAsync());
        await next.ExecuteAsync("SELECT pg_promote()");
        await next.ExecuteAsync("CHECKPOINT");
        // What the old one writes after the fork is archived, and gone from its pg_wal.
        for (int i = 0; i < 3; i++)
        {
            await FillAsync(_primary, 20_000);
            await _lab.ArchiveAsync(_primary);
            await _primary.ExecuteAsync("CHECKPOINT");
        }
        await FillAsync(next, 5_000);
        await _primary.StopAsync();

        ToolResult rewound = await ServerAccount.Current.RunAsync(_primary.Tools.Tool("pg_rewind"),
        [
            "--target-pgdata", _primary.DataDirectory, "--source-server", $"host=127.0.0.1 port={next.Port} user=postgres dbname=postgres", "--restore-target-wal", "--no-sync",
        ]);

        Assert.True(rewound.ExitCode == 0, rewound.Error + rewound.Output);
        Assert.Contains("was taken from what had been fetched ahead", File.ReadAllText(_lab.FetchLog), StringComparison.Ordinal);
        RequireNothingStrange();
        File.AppendAllLines(Path.Combine(_primary.DataDirectory, "postgresql.conf"),
        [
            $"primary_conninfo = 'host=127.0.0.1 port={next.Port} user=postgres'", $"unix_socket_directories = '{_primary.SocketDirectory}'",
        ]);
        File.WriteAllText(Path.Combine(_primary.DataDirectory, "standby.signal"), "");
        ServerAccount.Current.Own(_primary.DataDirectory);
        await _primary.StartAsync();
        await _primary.WaitForReplayAsync(await next.WalEndAsync());
        Assert.Equal(6_000, await _primary.ScalarAsync<long>("SELECT count(*) FROM t"));
        RequireNothingStrange();
    }

    [Fact]
    public async Task TwoServersThatBothTakeThemselvesForThePrimaryAreToldApart()
    {
        await _primary.StopAsync();
        PostgresCluster twin = _lab.Keep(await PostgresCluster.CreateAsync(new PostgresClusterOptions { WalSegmentMegabytes = 1 }));
        Directory.Delete(twin.DataDirectory, recursive: true);
        (await ServerAccount.Current.RunAsync("cp", ["-a", _primary.DataDirectory, twin.DataDirectory])).EnsureSuccess();
        File.AppendAllText(Path.Combine(twin.DataDirectory, "postgresql.conf"), $"unix_socket_directories = '{twin.SocketDirectory}'\n");
        await _primary.StartAsync();
        await twin.StartAsync();
        await FillAsync(_primary, 100);
        string segment = await _lab.ArchiveAsync(_primary);
        byte[] stored = File.ReadAllBytes(Path.Combine(_lab.WalFolder, segment + ".zst"));
        string[] before = Directory.GetFiles(_lab.WalFolder);

        await twin.ExecuteAsync("CREATE TABLE only_here AS SELECT 1 AS n; SELECT pg_switch_wal()");
        await NativeServerLab.UntilAsync(
            () => twin.ScalarAsync<long>("SELECT failed_count FROM pg_stat_archiver").GetAwaiter().GetResult() > 0, TimeSpan.FromMinutes(1), () => File.ReadAllText(twin.LogFile));

        Assert.Contains(segment, await twin.ScalarAsync<string>("SELECT last_failed_wal FROM pg_stat_archiver"), StringComparison.Ordinal);
        Assert.Contains("with other content", File.ReadAllText(twin.LogFile), StringComparison.Ordinal);
        Assert.Equal(stored, File.ReadAllBytes(Path.Combine(_lab.WalFolder, segment + ".zst")));
        Assert.Equal(before.Order(StringComparer.Ordinal), Directory.GetFiles(_lab.WalFolder).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task AnotherClusterIsRefused()
    {
        string[] before = Directory.GetFiles(_lab.WalFolder);
        PostgresCluster foreign = await _lab.RunAsync(new PostgresClusterOptions { WalSegmentMegabytes = 1, FreshIdentity = true });
        await foreign.ExecuteAsync("CREATE TABLE t AS SELECT 1 AS n; SELECT pg_switch_wal()");
        await NativeServerLab.UntilAsync(
            () => foreign.ScalarAsync<long>("SELECT failed_count FROM pg_stat_archiver").GetAwaiter().GetResult() > 0, TimeSpan.FromMinutes(1), () => File.ReadAllText(foreign.LogFile));
        Assert.Contains("belongs to the cluster with system identifier", File.ReadAllText(foreign.LogFile), StringComparison.Ordinal);
        Assert.Equal(before.Order(StringComparer.Ordinal), Directory.GetFiles(_lab.WalFolder).Order(StringComparer.Ordinal));
    }

    private static Task FillAsync(PostgresCluster cluster, int rows) => cluster.ExecuteAsync($"INSERT INTO t SELECT g, repeat(md5(g::text), 4) FROM generate_series(1, {rows}) g");

    private void RequireNothingStrange()
    {
        string data = _primary.DataDirectory;
        foreach (string path in Directory.GetFileSystemEntries(Path.Combine(data, "pg_wal")))
        {
            string name = Path.GetFileName(path);
            Assert.True(name == "archive_status" || WalFileName.TryParse(name, out _), $"'{name}' does not belong into pg_wal.");
        }
        Assert.DoesNotContain(Directory.GetFileSystemEntries(data, "*", SearchOption.AllDirectories), static path => path.Contains("pgbackup", StringComparison.OrdinalIgnoreCase) || path.Contains("RECOVERY", StringComparison.Ordinal));
    }
}
