using PgBackup.Backup;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Backup.Deltas;

public sealed class ParentTests
{
    /// <summary>
    /// Full, delta on timeline 1, the full brought back to before that delta, delta on timeline 2: by "ancestor timeline, finish ≤ start" alone the dead branch's delta would be the
    /// parent, and its rows would come back.
    /// </summary>
    [Fact]
    public async Task ABackupOfAnAbandonedBranchIsNoParent()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.Cluster.ExecuteAsync("CREATE TABLE big AS SELECT i AS id, repeat('a', 500) AS v FROM generate_series(1, 20000) i");
        BackupResult full = await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.Cluster.ExecuteAsync("SELECT pg_create_restore_point('fork')");
        await lab.Cluster.ExecuteAsync("UPDATE big SET v = 'dead' WHERE id % 50 = 0");
        await lab.InsertAsync("dead");
        BackupResult dead = await TakeAsync(lab, BackupTypeRequest.Delta);
        Assert.Equal(full.Name, dead.Parent);
        await lab.ArchiveAsync();
        await lab.Cluster.StopAsync();

        RestoreResult branch = await lab.RestoreAsync(new RestoreOptions
        {
            Request = lab.Request(RestoreTarget.AtName("fork"), lab.NewDestination("branch")) with { KeepArchiving = true },
            Start = true,
        });
        // Until this branch's log has gone beyond the end of the dead delta.
        await RestoreLab.QueryAsync(branch, "CREATE TABLE filler AS SELECT repeat(md5(i::text), 30) AS v FROM generate_series(1, 60000) i");
        await RestoreLab.QueryAsync(branch, "INSERT INTO t VALUES ('alive')");
        await RestoreLab.QueryAsync(branch, "UPDATE big SET v = 'alive' WHERE id % 1000 = 7");

        BackupResult auto = await TakeAsync(lab, BackupTypeRequest.Auto, branch);
        Assert.Equal(BackupType.Full, auto.Type);
        Assert.Contains("abandoned branch", auto.Reason, StringComparison.Ordinal);
        PgBackupException refused = await Assert.ThrowsAsync<PgBackupException>(() => TakeAsync(lab, BackupTypeRequest.Delta, branch, dead.Name));
        Assert.Equal("ParentNotUsable", refused.Id);
        Assert.Contains("abandoned branch", refused.Message, StringComparison.Ordinal);
        await lab.Repository.Store.DeleteAsync([RepositoryLayout.SentinelKey(Name(auto.Name))]);

        BackupResult delta = await TakeAsync(lab, BackupTypeRequest.Delta, branch);
        Assert.Equal(full.Name, delta.Parent);
        Assert.Equal(2u, delta.Timeline.Value);
        Assert.Contains(dead.Name, delta.Reason, StringComparison.Ordinal);
        string expected = await RestoreLab.QueryAsync(branch, "SELECT md5(string_agg(v, ',' ORDER BY id)) FROM big");
        await RestoreLab.QueryAsync(branch, "SELECT pg_switch_wal()");
        await lab.StopAsync(branch.DataDirectory);

        RestoreResult restored = await lab.RestoreAsync(new RestoreOptions
        {
            Request = lab.Request(RestoreTarget.Immediate, lab.NewDestination("again")) with { Name = delta.Name },
            Start = true,
        });
        Assert.Equal("A,alive", await RestoreLab.RowsAsync(restored));
        Assert.Equal(expected, await RestoreLab.QueryAsync(restored, "SELECT md5(string_agg(v, ',' ORDER BY id)) FROM big"));
    }

    [Fact]
    public async Task WhatSpeaksAgainstAParentIsSaid()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        BackupOptions delta = source.Options with { Type = BackupTypeRequest.Delta };
        PgBackupException none = await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync(delta));
        Assert.Equal("NoParent", none.Id);
        BackupResult full = await source.BackUpAsync(source.Options with { Type = BackupTypeRequest.Auto, DeltaMaxSteps = 2 });
        Assert.Equal((BackupType.Full, "the repository holds no backup of this cluster yet"), (full.Type, full.Reason));
        PgBackupException unknown = await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync(delta with { DeltaFrom = "base_000000010000000000000099" }));
        Assert.Equal("BackupNotFound", unknown.Id);

        BackupOptions auto = source.Options with { Type = BackupTypeRequest.Auto, DeltaMaxSteps = 2 };
        BackupResult first = await source.BackUpAsync(auto);
        Assert.Equal((BackupType.Delta, "delta 1 of at most 2"), (first.Type, first.Reason));
        BackupResult second = await source.BackUpAsync(auto with { IsPermanent = true });
        Assert.Equal(first.Name, second.Parent);
        IReadOnlyList<ClusterBackup> listed = await BackupCatalog.ListAsync(source.Repository);
        Assert.All(listed, b => Assert.True(b.IsPermanent)); // With the delta its whole chain.
        Assert.Equal([full.Name, first.Name, second.Name], listed[^1].Chain);
        BackupResult third = await source.BackUpAsync(auto with { DeltaOrigin = DeltaOrigin.LatestFull });
        Assert.Equal(BackupType.Full, third.Type);
        Assert.Contains("2 is the limit", third.Reason, StringComparison.Ordinal);
        BackupResult fromFull = await source.BackUpAsync(delta with { DeltaFrom = second.Name, DeltaOrigin = DeltaOrigin.LatestFull });
        Assert.Equal(full.Name, fromFull.Parent);
        BackupSentinel sentinel = await BackupDocuments.ReadSentinelAsync(source.Repository, RepositoryLayout.SentinelKey(Name(fromFull.Name)));
        Assert.Equal((3, full.Name), (sentinel.DeltaCount, sentinel.DeltaFullName)); // wal-g counts on from the newest.

        // A link of the chain is gone.
        await source.Repository.Store.DeleteAsync([RepositoryLayout.SentinelKey(Name(first.Name))]);
        PgBackupException broken = await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync(delta with { DeltaFrom = second.Name }));
        Assert.Equal("ParentNotUsable", broken.Id);
        Assert.Contains(first.Name, broken.Message, StringComparison.Ordinal);
        // A part of a parent is gone.
        File.Delete(Directory.GetFiles(Path.Combine(source.RepositoryPath, "basebackups_005", third.Name, "tar_partitions"), "part_001*")[0]);
        BackupResult whole = await source.BackUpAsync(auto with { DeltaFrom = third.Name });
        Assert.Equal(BackupType.Full, whole.Type);
        Assert.Contains("part_001", whole.Reason, StringComparison.Ordinal);
        await source.AssertNoSessionAsync();
    }

    /// <summary>Every link counts, not the last alone: what is wrong further down a delta on top inherits.</summary>
    [Fact]
    public async Task EveryLinkOfTheChainIsProven()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        BackupOptions delta = source.Options with { Type = BackupTypeRequest.Delta };
        BackupResult full = await source.BackUpAsync();
        BackupResult first = await source.BackUpAsync(delta);
        BackupResult second = await source.BackUpAsync(delta);

        async Task RefusedAsync(string file, Func<string, string?> change, string expected)
        {
            string path = Path.Combine(source.RepositoryPath, "basebackups_005", file);
            string before = await File.ReadAllTextAsync(path);
            string? after = change(before);
            if (after is null)
                File.Delete(path);
            else
                await File.WriteAllTextAsync(path, after);
            PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync(delta with { DeltaFrom = second.Name }));
            Assert.Equal("ParentNotUsable", error.Id);
            Assert.Contains(expected, error.Message, StringComparison.Ordinal);
            await File.WriteAllTextAsync(path, before);
        }

        string sentinel = first.Name + "_backup_stop_sentinel.json";
        await RefusedAsync($"{first.Name}/files_metadata.json", _ => null, $"the list of the files of '{first.Name}'");
        await RefusedAsync($"{first.Name}/files_metadata.json", _ => "{}", $"the list of the files of '{first.Name}'");
        await RefusedAsync($"{full.Name}/metadata.json", _ => null, $"'{full.Name}' has no metadata.json");
        await RefusedAsync(sentinel, json => json.Replace($"\"FinishLSN\":{first.FinishLsn.Value}", $"\"FinishLSN\":{second.FinishLsn.Value}", StringComparison.Ordinal), $"its chain rests on '{first.Name}'");
        await RefusedAsync(sentinel, json => json.Replace($"{first.SystemIdentifier}", "4711", StringComparison.Ordinal), "of another cluster");
        Assert.Equal(second.Name, (await source.BackUpAsync(delta)).Parent);
    }

    [Fact]
    public async Task AParentThatIsDeletedMeanwhileStopsTheDelta()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        BackupResult full = await source.BackUpAsync();
        await using ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(source.Repository, source.Options with { Type = BackupTypeRequest.Delta });
        Assert.Equal(BackupType.Delta, job.Type);
        await source.Repository.Store.DeleteAsync([RepositoryLayout.SentinelKey(Name(full.Name))]);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => job.RunAsync());
        Assert.Equal("ParentGone", error.Id);
        Assert.Empty(Directory.GetFiles(Path.Combine(source.RepositoryPath, "basebackups_005")));
        Assert.Empty(Directory.GetDirectories(Path.Combine(source.RepositoryPath, "basebackups_005"), "*_D_*").SelectMany(d => Directory.GetFiles(d, "*", SearchOption.AllDirectories)));
        await source.AssertNoSessionAsync();
    }

    [Fact]
    public async Task ADiskThatFillsUpDuringADeltaLeavesTheChainAsItWas()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await using SmallDisk disk = await SmallDisk.MountAsync(megabytes: 16);
        Directory.CreateSymbolicLink(Path.Combine(source.RepositoryPath, "basebackups_005"), disk.Path);
        BackupResult full = await source.BackUpAsync();
        await source.Cluster.ExecuteAsync("CREATE TABLE big AS SELECT string_agg(md5(random()::text || j), '') AS v FROM generate_series(1, 30000) i, generate_series(1, 30) j GROUP BY i");
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => source.BackUpAsync(source.Options with { Type = BackupTypeRequest.Delta }));
        Assert.Equal("StorageWriteFailed", error.Id);
        Assert.Equal([full.Name], (await BackupCatalog.ListAsync(source.Repository)).Select(b => b.Name));
        Assert.All(Directory.GetFiles(disk.Path, "*", SearchOption.AllDirectories), f => Assert.Contains(full.Name, f, StringComparison.Ordinal));
        await source.AssertNoSessionAsync();
        await source.Cluster.ExecuteAsync("DROP TABLE big");
        BackupResult delta = await source.BackUpAsync(source.Options with { Type = BackupTypeRequest.Delta });
        Assert.Equal(full.Name, delta.Parent);
    }

    [Fact]
    public async Task SwitchedChecksumsNeedAFullBackup()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(new PostgresClusterOptions { DataChecksums = false });
        await source.BackUpAsync();
        await source.Cluster.StopAsync();
        (await ServerAccount.Current.RunAsync(source.Cluster.Tools.Tool("pg_checksums"), ["--enable", "-D", source.Cluster.DataDirectory])).EnsureSuccess();
        await source.Cluster.StartAsync();
        BackupResult result = await source.BackUpAsync(source.Options with { Type = BackupTypeRequest.Auto, DeltaMaxSteps = 5 });
        Assert.Equal(BackupType.Full, result.Type);
        Assert.Contains("checksums have been switched", result.Reason, StringComparison.Ordinal);
    }

    private static async Task<BackupResult> TakeAsync(RestoreLab lab, BackupTypeRequest type, RestoreResult? branch = null, string? from = null)
    {
        string connection = branch is null ? lab.Cluster.ConnectionString : $"Host=127.0.0.1;Port={branch.Port};Username=postgres;Database=postgres";
        var options = new BackupOptions
        {
            Server = new ServerConnectionSettings { ConnectionString = connection },
            Type = type,
            DeltaFrom = from,
            DeltaMaxSteps = 7,
        };
        await using ClusterBackupJob job = await ClusterBackupJob.PrepareAsync(lab.Repository, options);
        return await job.RunAsync();
    }

    private static BackupName Name(string text) => BackupName.TryParse(text, out BackupName? name) ? name : throw new FormatException(text);
}
