using PgBackup.Backup;
using PgBackup.Errors;
using PgBackup.Tests.Backup.Deltas;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup.Remote;

/// <summary>Deltas of what a server sends.</summary>
public sealed class RemoteDeltaTests
{
    private const string Load = """
        CREATE TABLE t (id int PRIMARY KEY, filler text); INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 150000) i;
        CREATE TABLE still AS SELECT * FROM t
        """;

    [Theory]
    [InlineData(15, false)]
    [InlineData(18, false)]
    [InlineData(17, true)]
    public async Task ADeltaHoldsWhatChangedAndRestores(int major, bool summaries)
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(new PostgresClusterOptions
        {
            Tools = PostgresTools.OfMajor(major),
            Settings = summaries ? new Dictionary<string, string> { ["summarize_wal"] = "on" } : [],
        });
        await source.Cluster.ExecuteAsync(Load); // 't' and 'still' have more than 64 MB each.
        BackupOptions remote = source.Options with { Mode = BackupMode.Remote };
        BackupResult full = await source.BackUpAsync(remote);
        await source.Cluster.ExecuteAsync("""
            UPDATE t SET filler = 'x' WHERE id BETWEEN 500 AND 600; DELETE FROM t WHERE id > 149000; INSERT INTO t SELECT i, 'new' FROM generate_series(200000, 201000) i;
            UPDATE t SET filler = filler || 'y' WHERE id BETWEEN 50000 AND 60000
            """);
        var log = new RecordingLog();
        BackupResult delta = await source.BackUpAsync(remote with { Type = BackupTypeRequest.Delta }, log);
        Assert.Equal(full.Name, delta.Parent);
        Assert.True(delta.UncompressedSize.Bytes < full.UncompressedSize.Bytes / 4, $"{delta.UncompressedSize} of {full.UncompressedSize}");
        Assert.True(delta.SkippedFileCount > 0);
        Assert.True(delta.IncrementCount > 0);
        Assert.Contains(log.Of(LogLevel.Verbose), line => line.Contains(summaries ? "taken from WAL summaries" : "by the LSNs of the pages", StringComparison.Ordinal));
        await new WalGBackupChecker(source.RepositoryPath, delta.Name).CheckAsync();

        string expected = await source.Cluster.ScalarAsync<string>(DeltaBackupTests.FingerprintSql);
        await source.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        await source.WaitForArchiveAsync();
        using var folder = new TempFolder();
        await WalGRestore.ForwardAsync(source.RepositoryPath, delta.Name, folder.Combine("forward"));
        await using (RecoveredServer restored = await RecoveredServer.StartAsync(source, folder.Combine("forward")))
            Assert.Equal(expected, await restored.ScalarAsync<string>(DeltaBackupTests.FingerprintSql));
        await WalGRestore.ReverseAsync(source.RepositoryPath, delta.Name, folder.Combine("reverse"));
        await using (RecoveredServer restored = await RecoveredServer.StartAsync(source, folder.Combine("reverse")))
            Assert.Equal(expected, await restored.ScalarAsync<string>(DeltaBackupTests.FingerprintSql));
    }

    [Fact]
    public async Task ADatabaseMadeAnewUnderItsOldNumberIsNoDelta()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        const string Make = "CREATE DATABASE again OID = 70000 STRATEGY FILE_COPY";
        await source.Cluster.ExecuteAsync(Make);
        BackupOptions remote = source.Options with { Mode = BackupMode.Remote };
        await source.BackUpAsync(remote);
        await Task.Delay(1100); // A server's archive tells whole seconds.
        await source.Cluster.ExecuteAsync("DROP DATABASE again");
        await source.Cluster.ExecuteAsync(Make);
        // The version of the database comes first, and all is stored whole, or too late.
        try
        {
            BackupResult delta = await source.BackUpAsync(remote with { Type = BackupTypeRequest.Delta });
            var checker = new WalGBackupChecker(source.RepositoryPath, delta.Name);
            await checker.CheckAsync();
            Assert.Contains("/base/70000/1259", checker.Members.Keys);
            Assert.False(checker.Files.GetProperty("/base/70000/1259").GetProperty("IsIncremented").GetBoolean());
        }
        catch (PgBackupException error)
        {
            Assert.Equal("DatabaseMadeAnew", error.Id);
        }
        await Task.Delay(1100);
        await source.Cluster.ExecuteAsync("DROP DATABASE again");
        await source.Cluster.ExecuteAsync(Make);
        BackupResult auto = await source.BackUpAsync(remote with { Type = BackupTypeRequest.Auto, DeltaMaxSteps = 9 });
        await new WalGBackupChecker(source.RepositoryPath, auto.Name).CheckAsync();
        await source.AssertNoSessionAsync();
    }

    [Fact]
    public async Task ATemporaryFolderThatIsFullEndsItClearly()
    {
        using var spool = new PgBackup.Backup.Remote.PageSpool();
        byte[] content = new byte[1 << 20];
        new Random(5).NextBytes(content);
        const long Size = 130L << 20;
        for (long offset = 0; offset < Size; offset += content.Length)
        {
            content[0] = (byte)(offset >> 20);
            content.CopyTo(spool.Reserve(offset, content.Length));
            spool.Commit(offset, content);
        }
        byte[] page = new byte[8192];
        foreach (long block in new long[] { 0, 128, 64 * 128, 129 * 128, 63 * 128 })
        {
            spool.Read(block * 8192, page);
            Assert.Equal((byte)(block * 8192 >> 20), page[0]);
            Assert.Equal(content[1..8192], page[1..]);
        }

        // Two megabytes beyond the memory do not fit on a disk of one.
        await using SmallDisk disk = await SmallDisk.MountAsync(1);
        string? before = Environment.GetEnvironmentVariable("TMPDIR");
        Environment.SetEnvironmentVariable("TMPDIR", disk.Path);
        try
        {
            using var full = new PgBackup.Backup.Remote.PageSpool();
            PgBackupException error = Assert.Throws<PgBackupException>(() =>
            {
                for (long offset = 64L << 20; offset < 68L << 20; offset += content.Length)
                {
                    for (long fill = 0; fill <= 64L << 20; fill += content.Length)
                        full.Reserve(fill, content.Length);
                    full.Commit(offset, content);
                }
            });
            Assert.Equal("TemporaryFileFailed", error.Id);
        }
        finally
        {
            Environment.SetEnvironmentVariable("TMPDIR", before);
        }
        Assert.Empty(Directory.GetFiles(disk.Path));
    }
}
