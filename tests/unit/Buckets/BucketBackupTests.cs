using System.Diagnostics;
using System.Runtime.InteropServices;
using PgBackup.Backup;
using PgBackup.Codecs;
using PgBackup.PowerShell.Backups;
using PgBackup.Repository;
using PgBackup.Restore;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Buckets;

/// <summary>Backup, archive and restore with the repository in a bucket of real stores.</summary>
public sealed class BucketBackupTests
{
    private const string Load = "CREATE TABLE big AS SELECT g, md5(g::text) || md5((g + 1)::text) v FROM generate_series(1, 400000) g";

    [Theory]
    [InlineData("ceph-current", false, CompressionMethod.Zstd)]
    [InlineData("ceph-current", true, CompressionMethod.Lz4)]
    [InlineData("ceph-16", true, CompressionMethod.Zstd)]
    [InlineData("swift", false, CompressionMethod.Lz4)]
    public async Task WhatWasBackedUpAndArchivedIsRestored(string store, bool encrypted, CompressionMethod compression)
    {
        EncryptionKey? key = encrypted ? EncryptionKey.FromSettings(new string('7', 64), KeyTransform.Hex) : null;
        await using BucketLab bucket = await BucketLab.StartAsync(store, key, compression);
        RestoreLab lab = bucket.Lab;
        await lab.Cluster.ExecuteAsync(Load);
        string expected = await lab.Cluster.ScalarAsync<string>("SELECT md5(string_agg(v, '' ORDER BY g)) FROM big");
        BackupResult backup = await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.Cluster.ExecuteAsync("SELECT pg_create_restore_point('after A')");
        await lab.InsertAsync("B");
        await bucket.ArchiveAsync();

        Assert.Equal(backup.Name, Assert.Single(await BackupCatalog.ListAsync(lab.Repository)).Name);
        await lab.DecodeWalAsync();
        RestoreResult result = await lab.RestoreAsync(RestoreTarget.AtName("after A"));
        Assert.Equal("A", await RestoreLab.RowsAsync(result));
        Assert.Equal(expected, await RestoreLab.QueryAsync(result, "SELECT md5(string_agg(v, '' ORDER BY g)) FROM big"));
        if (!encrypted)
            await AssertStockToolsReadThePartsAsync(lab, backup.Name, compression);
    }

    [Fact]
    public async Task ABackupThatIsKilledLeavesNothingThatTheNextRunDoesNotRemove()
    {
        await using BucketLab bucket = await BucketLab.StartAsync("ceph-current");
        await bucket.Lab.Cluster.ExecuteAsync(Load);
        IObjectStore store = bucket.Repository.Store;
        foreach (Func<Task<bool>> instant in (Func<Task<bool>>[])[() => IsInFlightAsync(store, "tar_partitions/"), () => IsThereAsync(store, "pg_control.tar"), () => IsThereAsync(store, "metadata.json")])
        {
            using Process process = StartBackup(bucket);
            var clock = Stopwatch.StartNew();
            while (!await instant())
                Assert.False(process.HasExited || clock.Elapsed > TimeSpan.FromSeconds(60), "It did not come so far.");
            process.Kill();
            await process.WaitForExitAsync();
            Assert.DoesNotContain(await BackupCatalog.ListAsync(bucket.Repository), b => b.Status == BackupStatus.Complete);
        }
        BackupResult next = await bucket.Lab.BackupAsync();
        Assert.Equal(next.Name, Assert.Single(await BackupCatalog.ListAsync(bucket.Repository)).Name);
        await foreach (UnfinishedObject left in store.ListUnfinishedAsync(RepositoryLayout.BackupFolder))
            Assert.Fail($"'{left.Key}' is still in flight.");
        await bucket.ArchiveAsync();
        await bucket.Lab.DecodeWalAsync();
        Assert.Equal("400000", await RestoreLab.QueryAsync(await bucket.Lab.RestoreAsync(RestoreTarget.Latest), "SELECT count(*) FROM big"));
    }

    private static async Task AssertStockToolsReadThePartsAsync(RestoreLab lab, string backup, CompressionMethod compression)
    {
        Assert.True(BackupName.TryParse(backup, out BackupName? name));
        int members = 0;
        await foreach (StoredObject part in lab.Repository.Store.ListAsync(RepositoryLayout.PartFolder(name), recursive: false))
        {
            string file = lab.Folder.Combine(Path.GetFileName(part.Key));
            await using (Stream source = await lab.Repository.Store.OpenReadAsync(part.Key))
            await using (FileStream target = File.Create(file))
                await source.CopyToAsync(target);
            string tool = compression == CompressionMethod.Zstd ? "zstd" : "lz4";
            string listed = (await ToolProcess.RunAsync(new("sh", ["-c", $"{tool} -dc '{file}' | tar -t"]))).EnsureSuccess().Output;
            members += listed.Count(c => c == '\n');
        }
        Assert.True(members > 900, $"The parts hold {members} members.");
    }

    private static async Task<bool> IsThereAsync(IObjectStore store, string part)
    {
        await foreach (StoredObject item in store.ListAsync(RepositoryLayout.BackupFolder, recursive: true))
        {
            if (item.Key.Contains(part, StringComparison.Ordinal))
                return true;
        }
        return false;
    }

    private static async Task<bool> IsInFlightAsync(IObjectStore store, string part)
    {
        await foreach (UnfinishedObject item in store.ListUnfinishedAsync(RepositoryLayout.BackupFolder))
        {
            if (item.Key.Contains(part, StringComparison.Ordinal))
                return true;
        }
        return false;
    }

    private static Process StartBackup(BucketLab bucket)
    {
        ProcessStartInfo start = ShellProcess.Host.StartInfo(
            "-Command",
            $"Import-Module '{typeof(BackupPgClusterCommand).Assembly.Location}'; "
            + $"Backup-PgCluster -ConnectionString '{bucket.Lab.Cluster.ConnectionString}' -Repository '{bucket.Settings.Location}' -EndpointUrl '{bucket.Settings.EndpointUrl}' -RateLimit 25MB");
        start.Environment["LD_LIBRARY_PATH"] = Path.Combine(AppContext.BaseDirectory, "runtimes", RuntimeInformation.RuntimeIdentifier, "native");
        start.Environment["AWS_ACCESS_KEY_ID"] = "test";
        start.Environment["AWS_SECRET_ACCESS_KEY"] = "testsecret";
        start.Environment["WALG_S3_MAX_PART_SIZE"] = "5242880";
        return Process.Start(start)!;
    }
}
