using System.Text.Json;
using PgBackup.Backup;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Buckets;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Backup.Remote;

/// <summary>Backups by the replication protocol of real servers, from the stream to the restored rows.</summary>
public sealed class RemoteBackupTests
{
    public static TheoryData<int> Majors => [.. PostgresTools.Majors];

    [Theory]
    [MemberData(nameof(Majors))]
    public async Task ARemoteBackupIsWhatALocalOneIs(int major)
    {
        await using RemoteLab lab = await RemoteLab.StartAsync(major);
        await lab.AddOddFilesAsync();
        await lab.Cluster.ExecuteAsync("GRANT pg_read_all_settings TO mirror");
        var log = new RecordingLog();
        BackupResult remote = await lab.BackUpAsync(log: log);
        Assert.Empty(remote.CorruptFiles);
        Assert.True(remote.ChecksumsVerified);
        Assert.Contains(log.Of(LogLevel.Warning), line => line.Contains("not UTF-8", StringComparison.Ordinal));
        Assert.Contains(log.Of(LogLevel.Verbose), line => line.Contains("Configuration files", StringComparison.Ordinal));
        BackupResult local = await lab.BackUpAsync(lab.Options with { Mode = BackupMode.Local, Server = lab.Options.Server with { UserName = "postgres" } });

        var remoteFiles = new WalGBackupChecker(lab.Lab.RepositoryPath, remote.Name);
        await remoteFiles.CheckAsync();
        var localFiles = new WalGBackupChecker(lab.Lab.RepositoryPath, local.Name);
        await localFiles.CheckAsync();
        // The same members of the same sizes; statistics come and go.
        Assert.Equal(Stable(localFiles), Stable(remoteFiles));
        Assert.Equal(localFiles.Sentinel.GetProperty("Spec").GetRawText(), remoteFiles.Sentinel.GetProperty("Spec").GetRawText());
        Assert.Contains("/odd folder/ünï \"quoted\" \\ 'x'", remoteFiles.Members.Keys);
        Assert.DoesNotContain(remoteFiles.Members.Keys, name => name.StartsWith("/log/", StringComparison.Ordinal) || name.StartsWith("/pgsql_tmp", StringComparison.Ordinal));
        foreach (JsonProperty file in remoteFiles.Files.EnumerateObject().Where(f => remoteFiles.Members.ContainsKey(f.Name)))
            Assert.Equal(remoteFiles.Members[file.Name], file.Value.GetProperty("Size").GetInt64());

        await lab.Cluster.ExecuteAsync("UPDATE big SET v = v || '+' WHERE id % 3 = 0; INSERT INTO farther VALUES (2, 'y')");
        File.Delete(Path.Combine(lab.Lab.RepositoryPath, "basebackups_005", local.Name + "_backup_stop_sentinel.json"));
        await lab.CheckRestoreAsync();
    }

    [Theory]
    [InlineData(CompressionMethod.Lz4)]
    [InlineData(CompressionMethod.Brotli)]
    public async Task EncryptedAndCompressedOtherwise(CompressionMethod compression)
    {
        EncryptionKey key = EncryptionKey.FromSettings(new string('7', 64), KeyTransform.Hex);
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(key: key, compression: compression);
        await source.Cluster.ExecuteAsync("CREATE TABLE t AS SELECT g, md5(g::text) FROM generate_series(1, 100000) g; CHECKPOINT");
        BackupResult backup = await source.BackUpAsync(source.Options with { Mode = BackupMode.Remote });
        using TempFolder folder = new();
        string restored = folder.Combine("restored");
        await FetchTests.FetchAsync(source.Repository, [backup.Name], restored);
        string table = await source.Cluster.ScalarAsync<string>("SELECT pg_relation_filepath('t')");
        Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(source.Cluster.DataDirectory, table)), await File.ReadAllBytesAsync(Path.Combine(restored, table)));
    }

    [Fact]
    public async Task IntoABucketAndBack()
    {
        await using BucketLab bucket = await BucketLab.StartAsync("ceph-current", EncryptionKey.FromSettings(new string('7', 64), KeyTransform.Hex));
        RestoreLab lab = bucket.Lab;
        await lab.Cluster.ExecuteAsync("CREATE TABLE big AS SELECT g, md5(g::text) v FROM generate_series(1, 300000) g");
        var options = new BackupOptions { Server = new ServerConnectionSettings { ConnectionString = lab.Cluster.ConnectionString }, Mode = BackupMode.Remote };
        foreach (BackupTypeRequest type in (BackupTypeRequest[])[BackupTypeRequest.Full, BackupTypeRequest.Delta])
        {
            await lab.Cluster.ExecuteAsync("UPDATE big SET v = v || '+' WHERE g BETWEEN 1000 AND 2000");
            await using ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(lab.Repository, options with { Type = type });
            await job.RunAsync();
        }
        await lab.InsertAsync("A");
        string expected = await lab.Cluster.ScalarAsync<string>("SELECT md5(string_agg(v, '' ORDER BY g)) FROM big");
        await bucket.ArchiveAsync();
        await lab.DecodeWalAsync();
        RestoreResult result = await lab.RestoreAsync(RestoreTarget.Latest);
        Assert.Equal("A", await RestoreLab.RowsAsync(result));
        Assert.Equal(expected, await RestoreLab.QueryAsync(result, "SELECT md5(string_agg(v, '' ORDER BY g)) FROM big"));
    }

    [Fact]
    public async Task TheWayIsFoundOut()
    {
        await using RemoteLab lab = await RemoteLab.StartAsync();
        var log = new RecordingLog();
        BackupOptions options = lab.Options with { Mode = BackupMode.Auto };
        // This role may not see where the data directory is, a superuser may.
        await lab.BackUpAsync(options, log);
        Assert.Contains(log.Of(LogLevel.Verbose), line => line.Contains("by the replication protocol: the role may not see", StringComparison.Ordinal));
        Assert.Contains(log.Of(LogLevel.Warning), line => line.Contains("pg_read_all_settings", StringComparison.Ordinal));
        log = new RecordingLog();
        await lab.BackUpAsync(options with { Server = options.Server with { UserName = "postgres" } }, log);
        Assert.DoesNotContain(log.Of(LogLevel.Verbose), line => line.Contains("replication protocol", StringComparison.Ordinal));
        // A postmaster.pid that is not this server's.
        string pidFile = Path.Combine(lab.Cluster.DataDirectory, "postmaster.pid");
        string[] lines = await File.ReadAllLinesAsync(pidFile);
        lines[2] = "1700000000";
        await File.WriteAllLinesAsync(pidFile, lines);
        log = new RecordingLog();
        await lab.BackUpAsync(options with { Server = options.Server with { UserName = "postgres" } }, log);
        Assert.Contains(log.Of(LogLevel.Verbose), line => line.Contains("is another server's", StringComparison.Ordinal));
        // Local by force: this role may not start a backup.
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync(options with { Mode = BackupMode.Local }));
        Assert.Equal("InsufficientPrivilege", error.Id);
    }

    [Fact]
    public async Task ARoleThatMayNotReplicateIsToldWhatItNeeds()
    {
        await using RemoteLab lab = await RemoteLab.StartAsync();
        await lab.Cluster.ExecuteAsync("ALTER ROLE mirror NOREPLICATION");
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync());
        Assert.Equal("InsufficientPrivilege", error.Id);
        Assert.Contains("REPLICATION", error.Hint, StringComparison.Ordinal);
        await lab.AssertNothingLeftAsync();
    }

    [Fact]
    public async Task WhatChangedOnTheWayIsNotPublished()
    {
        await using RemoteLab lab = await RemoteLab.StartAsync();
        // Far behind the login and within the table 'far', whose rows are all 'f': a row changes, no checksum but the manifest's is told.
        bool done = false;
        await using TamperingProxy proxy = new(lab.Cluster.Port, (bytes, before) =>
        {
            int at = bytes.IndexOf("ffffffffffffffffffffffffffffffff"u8);
            if (!done && before > 10_000 && at >= 0)
            {
                bytes[at] = (byte)'g';
                done = true;
            }
            return true;
        });
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync(Through(lab, proxy)));
        Assert.True(done);
        Assert.True(error.Id == "RemoteBackupDamaged", error.ToString());
        Assert.Contains("came changed", error.Message, StringComparison.Ordinal);
        await lab.AssertNothingLeftAsync();
    }

    [Theory]
    [InlineData(20_000)]
    [InlineData(3_000_000)]
    [InlineData(30_000_000)]
    public async Task AConnectionThatBreaksLeavesNothing(long after)
    {
        await using RemoteLab lab = await RemoteLab.StartAsync();
        await using TamperingProxy proxy = new(lab.Cluster.Port, (bytes, before) => before < after);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync(Through(lab, proxy)));
        Assert.Equal("ServerConnectionLost", error.Id);
        await lab.AssertNothingLeftAsync();
        await lab.BackUpAsync();
        await lab.CheckRestoreAsync();
    }

    [Fact]
    public async Task ACancelledBackupLeavesNothing()
    {
        await using RemoteLab lab = await RemoteLab.StartAsync();
        using var stop = new CancellationTokenSource();
        stop.CancelAfter(1500);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => lab.BackUpAsync(lab.Options with { RateLimit = new ByteSize(1 << 20) }, cancellationToken: stop.Token));
        await lab.AssertNothingLeftAsync();
    }

    [Fact]
    public async Task ADamagedPageIsReportedAndStored()
    {
        await using RemoteLab lab = await RemoteLab.StartAsync();
        string path = await lab.Cluster.ScalarAsync<string>("SELECT pg_relation_filepath('big')");
        await lab.Cluster.StopAsync();
        string file = Path.Combine(lab.Cluster.DataDirectory, path);
        byte[] content = await File.ReadAllBytesAsync(file);
        content[(8192 * 7) + 5000] ^= 1;
        await File.WriteAllBytesAsync(file, content);
        await lab.Cluster.StartAsync();
        BackupResult backup = await lab.BackUpAsync();
        CorruptFile corrupt = Assert.Single(backup.CorruptFiles);
        Assert.Equal((path, 7u), (corrupt.Path, Assert.Single(corrupt.Blocks)));
    }

    [Fact]
    public async Task WithoutArchivingThereIsNone()
    {
        await using RemoteLab lab = await RemoteLab.StartAsync();
        await lab.Cluster.ExecuteAsync("ALTER SYSTEM SET archive_command = 'false'");
        await lab.Cluster.ExecuteAsync("SELECT pg_reload_conf()");
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync(lab.Options with { ArchiveTimeout = TimeSpan.FromSeconds(3) }));
        Assert.Equal("WalNotArchived", error.Id);
        await lab.AssertNothingLeftAsync();
    }

    private static BackupOptions Through(RemoteLab lab, TamperingProxy proxy) => lab.Options with { Server = lab.Options.Server with { Port = proxy.Port } };

    private static IEnumerable<string> Stable(WalGBackupChecker backup) => backup.Files.EnumerateObject().Select(f => f.Name)
        .Where(name => !name.StartsWith("/pg_stat/", StringComparison.Ordinal) && !name.StartsWith("/pg_logical/", StringComparison.Ordinal)
            && !name.EndsWith("/pgsql_tmp", StringComparison.Ordinal)) // The server sends no folder of temporary files.
        .Select(name => $"{name} {(backup.Members.TryGetValue(name, out long size) ? size : -1)}")
        .Order(StringComparer.Ordinal);
}
