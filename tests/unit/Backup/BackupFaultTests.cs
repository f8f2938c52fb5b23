using PgBackup.Backup;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup;

/// <summary>Whatever ends a backup: no listed backup that does not restore, no session left in the server, and the next one succeeds at once.</summary>
public sealed class BackupFaultTests
{
    // Some 30 MB: three seconds of reading.
    private const string Slowly = "-RateLimit 12MB";

    private static readonly string[] s_instants = ["folder", "part", "control", "label", "metadata.json", "index", "sentinel"];

    [Fact]
    public async Task KilledAtManyInstants()
    {
        await using BackedUpCluster source = await RunAsync();
        foreach (string instant in s_instants)
        {
            using BackupProcess process = BackupProcess.Start(source, instant is "part" ? Slowly : "");
            await process.WaitForAsync(path => IsAt(path, instant));
            await process.Kill9Async();
            await AssertNothingFalseIsListedAsync(source);
        }
        await AssertTheNextSucceedsAsync(source);
    }

    [Trait("Category", "Full")]
    [Fact]
    public async Task KilledAHundredTimes()
    {
        await using BackedUpCluster source = await RunAsync();
        for (int i = 0; i < 100; i++)
        {
            using BackupProcess process = BackupProcess.Start(source, i % 4 == 0 ? Slowly : "");
            await process.WaitForAsync(_ => true);
            await Task.Delay(i * 7 % 1200);
            await process.Kill9Async();
            await AssertNothingFalseIsListedAsync(source);
        }
        await AssertTheNextSucceedsAsync(source);
    }

    [Fact]
    public async Task KilledWhileItWaitsForWal()
    {
        await using BackedUpCluster source = await RunAsync();
        await source.Cluster.ExecuteAsync("ALTER SYSTEM SET archive_command = 'test ! -e /dev/null'");
        await source.Cluster.ExecuteAsync("SELECT pg_reload_conf()");
        using (BackupProcess process = BackupProcess.Start(source))
        {
            await process.WaitForAsync(path => path.Contains("backup_label.tar", StringComparison.Ordinal) && !path.Contains(".tmp.", StringComparison.Ordinal));
            await Task.Delay(200);
            await process.Kill9Async();
        }
        await AssertNothingFalseIsListedAsync(source);
        await source.Cluster.ExecuteAsync($"ALTER SYSTEM SET archive_command = 'cp %p {source.RepositoryPath}/wal_005/%f'");
        await source.Cluster.ExecuteAsync("SELECT pg_reload_conf(), pg_switch_wal()");
        await source.WaitForArchiveAsync();
        await AssertTheNextSucceedsAsync(source);
    }

    [Fact]
    public async Task AskedToEndItClearsAway()
    {
        await using BackedUpCluster source = await RunAsync();
        using BackupProcess process = BackupProcess.Start(source, Slowly);
        await process.WaitForAsync(path => path.Contains("part_001", StringComparison.Ordinal));
        await process.TerminateAsync();
        Assert.Equal(ExitCodes.Terminated, process.ExitCode);
        await source.AssertNothingListedAsync();
        await AssertTheNextSucceedsAsync(source);
    }

    [Theory]
    [InlineData("kill")]
    [InlineData("stop")]
    [InlineData("terminate")]
    public async Task WithoutItsSessionABackupEndsSoonAndIsWithdrawn(string how)
    {
        await using BackedUpCluster source = await RunAsync();
        Task<BackupResult> backup = source.BackUpAsync(source.Options with { RateLimit = new ByteSize(1 << 20) }); // Half a minute, if nobody looked.
        while (!Directory.Exists(Path.Combine(source.RepositoryPath, "basebackups_005")))
            await Task.Delay(20);
        if (how == "kill")
            await source.Cluster.Kill9Async();
        else if (how == "stop")
            await source.Cluster.StopAsync();
        else
            await source.Cluster.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'PgBackup'");

        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => backup.WaitAsync(TimeSpan.FromSeconds(12)));

        Assert.Equal(("ServerConnectionLost", ExitCodes.ServerUnreachable), (error.Id, error.ExitCode));
        if (how != "terminate")
            await source.Cluster.StartAsync();
        await source.AssertNothingListedAsync();
        await AssertTheNextSucceedsAsync(source);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    public async Task ADiskOfAnySizeThatRunsFull(int megabytes) => await AssertFullDiskAsync(megabytes, encrypted: false);

    [Trait("Category", "Full")]
    [Fact]
    public async Task DisksOfManySizes()
    {
        for (int megabytes = 1; megabytes < 40; megabytes++)
            await AssertFullDiskAsync(megabytes, encrypted: megabytes % 2 == 0);
    }

    [Fact]
    public async Task AnotherBackupOfTheSameNameIsNotTouched()
    {
        await using BackedUpCluster source = await RunAsync();
        Task<BackupResult> backup = source.BackUpAsync(source.Options with { RateLimit = new ByteSize(12 << 20) });
        string folder = Path.Combine(source.RepositoryPath, "basebackups_005");
        while (!Directory.Exists(folder) || Directory.GetDirectories(folder).Length == 0)
            await Task.Delay(10);
        string sentinel = Path.Combine(folder, Path.GetFileName(Directory.GetDirectories(folder)[0]) + RepositoryLayout.SentinelSuffix);
        await File.WriteAllTextAsync(sentinel, "{}"); // As wal-g would, which knows nothing of our lease.

        Assert.Equal("ObjectExists", (await Assert.ThrowsAsync<PgBackupException>(() => backup)).Id);

        Assert.True(File.Exists(sentinel));
        await source.AssertNoSessionAsync();
    }

    [Fact]
    public async Task WalThatIsStillBeingCopiedIsNotThereYet()
    {
        await using BackedUpCluster source = await RunAsync();
        string target = $"{source.RepositoryPath}/wal_005/%f";
        await source.Cluster.ExecuteAsync($"ALTER SYSTEM SET archive_command = 'head -c 100000 %p > {target} && sleep 1 && cp %p {target}'");
        await source.Cluster.ExecuteAsync("SELECT pg_reload_conf()");
        BackupResult result = await source.BackUpAsync();
        string last = WalSegmentName.Containing(result.Timeline, result.FinishLsn - 1, WalSegmentSize.Default).ToString();
        Assert.Equal(16 << 20, new FileInfo(Path.Combine(source.RepositoryPath, "wal_005", last)).Length);
    }

    private static async Task<BackedUpCluster> RunAsync()
    {
        BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.Cluster.ExecuteAsync("CREATE TABLE t AS SELECT g AS id, md5(random()::text) || md5(random()::text) AS v FROM generate_series(1, 60000) g; CHECKPOINT");
        return source;
    }

    private static bool IsAt(string path, string instant) => instant switch
    {
        "folder" => true,
        "part" => path.Contains("part_001", StringComparison.Ordinal),
        "control" => path.Contains("pg_control.tar", StringComparison.Ordinal),
        "label" => path.Contains("backup_label.tar", StringComparison.Ordinal),
        "index" => path.Contains("pgbackup_index", StringComparison.Ordinal),
        "sentinel" => path.Contains("_backup_stop_sentinel.json", StringComparison.Ordinal),
        _ => path.EndsWith(instant, StringComparison.Ordinal),
    };

    private static async Task AssertNothingFalseIsListedAsync(BackedUpCluster source)
    {
        await source.AssertNoSessionAsync();
        foreach (ClusterBackup backup in await BackupCatalog.ListAsync(source.Repository))
        {
            Assert.NotEqual(BackupStatus.Damaged, backup.Status);
            Assert.NotEqual(BackupStatus.InProgress, backup.Status);
            if (backup.Status == BackupStatus.Complete)
                await new WalGBackupChecker(source.RepositoryPath, backup.Name).CheckAsync();
        }
    }

    private static async Task AssertTheNextSucceedsAsync(BackedUpCluster source)
    {
        BackupResult result = await source.BackUpAsync();
        await new WalGBackupChecker(source.RepositoryPath, result.Name).CheckAsync();
        await source.AssertNoSessionAsync();
        Assert.Null(await BackupLease.CurrentAsync(source.Repository));
    }

    private static async Task AssertFullDiskAsync(int megabytes, bool encrypted)
    {
        await using BackedUpCluster source = await RunAsync();
        await using SmallDisk disk = await SmallDisk.MountAsync(megabytes);
        string path = Path.Combine(disk.Path, "repository");
        Directory.CreateDirectory(path);
        var repository = new BackupRepository(
            new DirectoryStore(path), encrypted ? EncryptionKey.FromSettings(new string('k', 32), KeyTransform.None) : null);
        await using (ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(repository, source.Options with { ArchiveTimeout = TimeSpan.FromSeconds(1) }))
        {
            PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => job.RunAsync());
            // The WAL of this cluster goes elsewhere: a disk that is large enough fails for that.
            Assert.Equal(megabytes <= 3 ? "StorageWriteFailed" : error.Id, error.Id);
            Assert.Contains(error.Id, (string[])["StorageWriteFailed", "WalNotArchived"]);
        }
        Assert.Empty(await BackupCatalog.ListAsync(repository));
        Assert.Equal(
            ["pgbackup_v1/encryption.json", "pgbackup_v1/identity.json"],
            Directory.GetFiles(path, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(path, f)).Order(StringComparer.Ordinal));
        await source.AssertNoSessionAsync();
    }
}
