using PgBackup.Backup;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup;

public sealed class ClusterBackupTests
{
    private const string Digest = "SELECT count(*) || ':' || coalesce(md5(string_agg(id || v, ',' ORDER BY id)), '') FROM t";

    [Theory]
    [InlineData(CompressionMethod.Zstd)]
    [InlineData(CompressionMethod.Lz4)]
    [InlineData(CompressionMethod.None)]
    public async Task WhatIsWrittenIsAWalGBackupThatRestoresByHand(CompressionMethod compression)
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(compression: compression);
        string location = await source.Cluster.CreateTablespaceAsync("elsewhere");
        await source.Cluster.ExecuteAsync(
            """
            CREATE TABLE t AS SELECT g AS id, repeat(md5(g::text), 20) AS v FROM generate_series(1, 20000) g;
            CREATE TABLE far (a int) TABLESPACE elsewhere; INSERT INTO far SELECT generate_series(1, 5000);
            CREATE UNLOGGED TABLE fleeting AS SELECT generate_series(1, 1000) a;
            """);
        string expected = await source.Cluster.ScalarAsync<string>(Digest);

        BackupResult result = await source.BackUpAsync();

        Assert.Equal(BackupType.Full, result.Type);
        Assert.Empty(result.CorruptFiles);
        Assert.True(result.ChecksumsVerified);
        Assert.True(result.FileCount > 900);
        await source.AssertNoSessionAsync();

        using var folder = new TempFolder();
        string restored = ServerAccount.Current.CreateFolder(folder.Combine("data"));
        var checker = new WalGBackupChecker(source.RepositoryPath, result.Name);
        await checker.CheckAsync(restored);
        AssertLeftOut(checker, await source.Cluster.ScalarAsync<string>("SELECT pg_relation_filepath('fleeting')"));
        uint oid = await source.Cluster.ScalarAsync<uint>("SELECT oid FROM pg_tablespace WHERE spcname = 'elsewhere'");
        Assert.Equal(location, checker.Sentinel.GetProperty("Spec").GetProperty(oid.ToString()).GetProperty("loc").GetString());
        Assert.Contains($"{oid} {location}", File.ReadAllText(Path.Combine(restored, "tablespace_map")), StringComparison.Ordinal);

        // The server would rebuild the link from the map and write into the source's tablespace: give it a place of its own.
        string moved = folder.Combine("moved");
        Directory.Move(Path.Combine(restored, "pg_tblspc", oid.ToString()), moved);
        File.WriteAllText(Path.Combine(restored, "tablespace_map"), $"{oid} {moved}\n");
        await using RecoveredServer server = await RecoveredServer.StartAsync(source, restored);
        Assert.Equal(expected, await server.ScalarAsync<string>(Digest));
        Assert.Equal(5000, await server.ScalarAsync<long>("SELECT count(*) FROM far"));
        Assert.Equal(0, await server.ScalarAsync<long>("SELECT count(*) FROM fleeting"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    public async Task OtherSegmentSizes(int megabytes)
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(new PostgresClusterOptions { WalSegmentMegabytes = megabytes });
        await source.Cluster.ExecuteAsync("CREATE TABLE t AS SELECT g AS id, md5(g::text) AS v FROM generate_series(1, 30000) g");

        BackupResult result = await source.BackUpAsync();

        var size = new WalSegmentSize(megabytes << 20);
        Assert.Equal($"base_{WalSegmentName.Containing(result.Timeline, result.StartLsn, size)}", result.Name);
        Assert.True(File.Exists(Path.Combine(source.RepositoryPath, "wal_005", WalSegmentName.Containing(result.Timeline, result.FinishLsn - 1, size).ToString())));
        await new WalGBackupChecker(source.RepositoryPath, result.Name).CheckAsync();
    }

    [Fact]
    public async Task ACatalogueTellsWhatWasWritten()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        BackupResult first = await source.BackUpAsync();
        BackupResult second = await source.BackUpAsync(source.Options with { IsPermanent = true, UserData = new Dictionary<string, object> { ["ticket"] = 42L } });

        IReadOnlyList<ClusterBackup> backups = await BackupCatalog.ListAsync(source.Repository);

        Assert.Equal([first.Name, second.Name], backups.Select(b => b.Name));
        ClusterBackup listed = backups[1];
        Assert.Equal(BackupStatus.Complete, listed.Status);
        Assert.Equal((second.StartLsn, second.FinishLsn, second.Timeline), (listed.StartLsn, listed.FinishLsn, listed.Timeline));
        Assert.Equal(second.SystemIdentifier, listed.SystemIdentifier);
        Assert.Equal(second.Size, listed.Size);
        Assert.True(listed.IsPermanent);
        Assert.False(backups[0].IsPermanent);
        Assert.Equal(42L, Assert.IsType<Dictionary<string, object?>>(listed.UserData)["ticket"]);
        Assert.StartsWith("PgBackup ", listed.WrittenBy, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatComesAndGoesWhileItIsReadDoesNoHarm()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.Cluster.ExecuteAsync("CREATE TABLE t AS SELECT g AS id, repeat(md5(g::text), 30) AS v FROM generate_series(1, 20000) g");
        using var stop = new CancellationTokenSource();
        Task churn = Task.Run(async () =>
        {
            for (int i = 0; !stop.IsCancellationRequested; i++)
            {
                await source.Cluster.ExecuteAsync(
                    $"CREATE TABLE c{i} AS SELECT repeat('x', 500) v FROM generate_series(1, 3000); UPDATE t SET v = v || '{i}' WHERE id % 50 = {i % 50}; DROP TABLE IF EXISTS c{Math.Max(i - 2, 0)}; CHECKPOINT");
            }
        });
        BackupResult result = await source.BackUpAsync(source.Options with { RateLimit = new ByteSize(20 << 20) });
        await stop.CancelAsync();
        await churn;
        Assert.Empty(result.CorruptFiles);

        using var folder = new TempFolder();
        string restored = ServerAccount.Current.CreateFolder(folder.Combine("data"));
        await new WalGBackupChecker(source.RepositoryPath, result.Name).CheckAsync(restored);
        await source.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        string expected = await source.Cluster.ScalarAsync<string>(Digest);
        await source.WaitForArchiveAsync();
        await using RecoveredServer server = await RecoveredServer.StartAsync(source, restored);
        Assert.Equal(expected, await server.ScalarAsync<string>(Digest));
    }

    [Fact]
    public async Task ADamagedPageIsNamedAndCostsNothingElse()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.Cluster.ExecuteAsync("CREATE TABLE t AS SELECT g AS id, repeat(md5(g::text), 20) AS v FROM generate_series(1, 20000) g; CHECKPOINT");
        string file = await source.Cluster.ScalarAsync<string>("SELECT pg_relation_filepath('t')");
        await source.Cluster.StopAsync();
        using (FileStream stream = File.OpenWrite(Path.Combine(source.Cluster.DataDirectory, file)))
        {
            stream.Position = (300 * 8192) + 5000;
            stream.Write([0xde, 0xad, 0xbe, 0xef]);
            stream.Position = 7 * 8192; // An LSN that no WAL has reached.
            stream.Write([0xff, 0xff, 0, 0]);
        }
        await source.Cluster.StartAsync();
        var log = new RecordingLog();

        BackupResult result = await source.BackUpAsync(log: log);

        CorruptFile corrupt = Assert.Single(result.CorruptFiles);
        Assert.Equal(file, corrupt.Path);
        Assert.Equal([7u, 300u], corrupt.Blocks);
        Assert.Contains(log.Of(LogLevel.Warning), line => line.Contains(file, StringComparison.Ordinal));
        var checker = new WalGBackupChecker(source.RepositoryPath, result.Name);
        await checker.CheckAsync();
        Assert.Equal(2, checker.Files.GetProperty("/" + file).GetProperty("CorruptBlocks").GetProperty("CorruptBlocksCount").GetInt32());
    }

    [Fact]
    public async Task TwoAtOnceAreRefusedByServerAndByRepository()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await using (ClusterBackupJob first = await ClusterBackupJob.PrepareAsync(source.Repository, source.Options))
        {
            PgBackupException refused = await Assert.ThrowsAsync<PgBackupException>(() => ClusterBackupJob.PrepareAsync(source.Repository, source.Options));
            Assert.Equal(("BackupInProgress", ExitCodes.Locked), (refused.Id, refused.ExitCode));
        }
        await using (await BackupLease.AcquireAsync(source.Repository, "another"))
            Assert.Equal("BackupInProgress", (await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync())).Id);
        await source.AssertNoSessionAsync();
        await source.BackUpAsync();
    }

    [Fact]
    public async Task AnotherClusterIsRefusedUnlessANewLineageIsMeant()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.BackUpAsync();
        await using BackedUpCluster stranger = await BackedUpCluster.RunAsync(new PostgresClusterOptions { FreshIdentity = true });
        await stranger.Cluster.ExecuteAsync($"ALTER SYSTEM SET archive_command = 'cp %p {source.RepositoryPath}/wal_005/%f'");
        await stranger.Cluster.ExecuteAsync("SELECT pg_reload_conf()");
        for (int i = 0; i < 8; i++) // As after pg_upgrade, its WAL lies behind that of the cluster before it.
            await stranger.Cluster.ExecuteAsync("CREATE TABLE x (); DROP TABLE x; SELECT pg_switch_wal()");
        BackupOptions options = stranger.Options;

        await using (ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(source.Repository, options))
            Assert.Equal("ClusterIdentityMismatch", (await Assert.ThrowsAsync<PgBackupException>(() => job.RunAsync())).Id);
        await using (ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(source.Repository, options with { NewLineage = true }))
            await job.RunAsync();
        await using (ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(source.Repository, options))
            await job.RunAsync(); // Known from now on.
    }

    [Fact]
    public async Task WithoutArchivingThereIsNoBackup()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.Cluster.ExecuteAsync("ALTER SYSTEM SET archive_command = 'false'");
        await source.Cluster.ExecuteAsync("SELECT pg_reload_conf()");
        while (await source.Cluster.ScalarAsync<long>("SELECT failed_count FROM pg_stat_archiver") == 0)
            await source.Cluster.ExecuteAsync("CREATE TABLE x (); DROP TABLE x; SELECT pg_switch_wal(), pg_sleep(0.2)");
        PgBackupException failing = await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync());
        Assert.Equal("ArchivingFails", failing.Id);

        await source.Cluster.ExecuteAsync("ALTER SYSTEM SET archive_mode = off");
        await source.Cluster.RestartAsync();
        Assert.Equal("ArchivingNotEnabled", (await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync())).Id);
    }

    [Fact]
    public async Task WalThatGoesElsewhereIsNoticedAndNothingIsPublished()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.Cluster.ExecuteAsync("ALTER SYSTEM SET archive_command = 'true'");
        await source.Cluster.ExecuteAsync("SELECT pg_reload_conf()");

        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync(source.Options with { ArchiveTimeout = TimeSpan.FromSeconds(1) }));

        Assert.Equal("WalNotArchived", error.Id);
        await source.AssertNothingListedAsync();
    }

    [Fact]
    public async Task StoppedHalfWayItLeavesNothing()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.Cluster.ExecuteAsync("CREATE TABLE t AS SELECT g AS id, repeat(md5(g::text), 30) AS v FROM generate_series(1, 50000) g; CHECKPOINT");
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(2));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            source.BackUpAsync(source.Options with { RateLimit = new ByteSize(5 << 20) }, cancellationToken: stop.Token));

        await source.AssertNothingListedAsync();
        Assert.Empty(await BackupCatalog.ListAsync(source.Repository));
        await source.BackUpAsync();
    }

    [Fact]
    public async Task LeftoversOfADeadRunAreClearedBeforeTheFirstPut()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        // The next backup starts in the segment after the switch that pg_backup_start makes.
        string next = await source.Cluster.ScalarAsync<string>("SELECT pg_walfile_name(pg_switch_wal() + 1)");
        var size = WalSegmentSize.Default;
        WalSegmentName segment = WalSegmentName.Parse(next);
        foreach (WalSegmentName candidate in (WalSegmentName[])[segment, segment.NextFor(size), segment.NextFor(size).NextFor(size)])
        {
            string parts = Path.Combine(source.RepositoryPath, "basebackups_005", $"base_{candidate}", "tar_partitions");
            Directory.CreateDirectory(parts);
            File.WriteAllText(Path.Combine(parts, "part_099.tar.zst"), "left over");
            File.WriteAllText(Path.Combine(parts, "part_100.tar.zst.tmp.20260101T000000Z-0a1b2c3d"), "in flight when its writer was killed");
        }

        BackupResult result = await source.BackUpAsync();

        Assert.Contains(result.Name, (string[])[$"base_{segment}", $"base_{segment.NextFor(size)}", $"base_{segment.NextFor(size).NextFor(size)}"]);
        await new WalGBackupChecker(source.RepositoryPath, result.Name).CheckAsync(); // Which knows no objects in flight.
        IReadOnlyList<ClusterBackup> listed = await BackupCatalog.ListAsync(source.Repository);
        Assert.Equal(2, listed.Count(b => b.Status == BackupStatus.Unfinished));
        Assert.Equal(1, listed.Count(b => b.Status == BackupStatus.Complete));
    }

    [Fact]
    public async Task AFullDiskLeavesNoBackupAndNoSession()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.Cluster.ExecuteAsync("CREATE TABLE t AS SELECT g AS id, md5(random()::text) || md5(random()::text) AS v FROM generate_series(1, 400000) g");
        await using SmallDisk disk = await SmallDisk.MountAsync(megabytes: 12);
        Directory.CreateDirectory(Path.Combine(disk.Path, "repository"));
        BackupRepository repository = source.Repository with { Store = new DirectoryStore(Path.Combine(disk.Path, "repository")) };

        await using (ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(repository, source.Options))
            Assert.Equal("StorageWriteFailed", (await Assert.ThrowsAsync<PgBackupException>(() => job.RunAsync())).Id);

        Assert.Empty(await BackupCatalog.ListAsync(repository));
        await source.AssertNoSessionAsync();
    }

    private static void AssertLeftOut(WalGBackupChecker checker, string unlogged)
    {
        Assert.DoesNotContain("/" + unlogged, checker.Members.Keys);
        Assert.Contains($"/{unlogged}_init", checker.Members.Keys);
        Assert.DoesNotContain(checker.Members.Keys, name => name.Contains("pg_internal.init", StringComparison.Ordinal) || name.EndsWith("postmaster.pid", StringComparison.Ordinal));
        Assert.DoesNotContain(checker.Members.Keys, name => name.StartsWith("/pg_wal/", StringComparison.Ordinal) || name.StartsWith("/pg_replslot/", StringComparison.Ordinal));
    }
}
