using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Restore;
using PgBackup.Retention;
using PgBackup.Retention.Removal;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Kit.Stores;
using PgBackup.TestServers;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Retention;

/// <summary>Retention on repositories with real backups, killed at every deletion.</summary>
public sealed class RetentionRunTests : IAsyncLifetime
{
    private static readonly RetentionPolicy s_policy = new() { KeepFull = 2, WalBuffer = TimeSpan.Zero };
    private RestoreLab _lab = null!;
    private readonly List<string> _names = [];

    public async Task InitializeAsync()
    {
        _lab = await RestoreLab.StartAsync(new PostgresClusterOptions { WalSegmentMegabytes = 1 });
        foreach (string step in (string[])["full", "delta", "delta", "full", "delta", "full"])
        {
            await _lab.InsertAsync($"{_names.Count}");
            _names.Add((await _lab.BackupAsync(step == "full" ? BackupTypeRequest.Full : BackupTypeRequest.Delta)).Name);
            await _lab.ArchiveAsync();
            // The buffer counts from when a segment was stored, in whole minutes: these were stored long ago.
            foreach (string path in Directory.GetFiles(_lab.WalFolder))
                File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddDays(-1));
        }
    }

    public async Task DisposeAsync() => await _lab.DisposeAsync();

    [Fact]
    public async Task WhatTheSecondNewestFullDoesNotNeedGoesAndTheRestRestores()
    {
        List<RemovalResult> results = await ApplyAsync(_lab.Repository, s_policy);

        Assert.Equal(_names[..3].Order(StringComparer.Ordinal), results.Where(r => r.Kind == RetentionItemKind.Cluster).Select(r => r.Name).Order(StringComparer.Ordinal));
        Assert.All(results, r => Assert.Equal(RemovalStatus.Removed, r.Status));
        Assert.Contains(results, r => r.Kind == RetentionItemKind.Wal && r.ObjectCount > 0);
        Assert.Equal(_names[3..], (await BackupCatalog.ListAsync(_lab.Repository)).Select(b => b.Name));
        Assert.DoesNotContain(Directory.GetFileSystemEntries(_lab.RepositoryPath, "*", SearchOption.AllDirectories), path => _names[..3].Any(n => path.Contains($"/{n}/", StringComparison.Ordinal)));
        Assert.Empty(await ApplyAsync(_lab.Repository, s_policy));
        foreach ((string name, string rows) in new[] { (_names[3], "0,1,2,3"), (_names[4], "0,1,2,3,4"), (_names[5], "0,1,2,3,4,5") })
        {
            RestoreOptions options = new() { Request = _lab.Request(RestoreTarget.Immediate, _lab.NewDestination(name)) with { Name = name }, Start = true };
            Assert.Equal(rows, await RestoreLab.RowsAsync(await _lab.RestoreAsync(options)));
        }
        Assert.Equal("0,1,2,3,4,5", await RestoreLab.RowsAsync(await _lab.RestoreAsync(RestoreTarget.Latest)));
    }

    [Fact]
    public async Task KilledAtAnyDeletionOnlyWholeBackupsAreListedAndTheNextRunFinishes()
    {
        Dictionary<string, string> before = Contents(_lab.RepositoryPath);
        string done = await CloneAsync("done");
        await ApplyAsync(Open(done), s_policy);
        Dictionary<string, string> expected = Contents(done);
        bool isDead = true;
        int deletions = 0;
        for (; isDead; deletions++)
        {
            string clone = await CloneAsync($"killed-{deletions}");
            var store = new DyingStore(new DirectoryStore(clone), deletions);
            try
            {
                await ApplyAsync(new BackupRepository(store, null), s_policy);
            }
            catch (PgBackupException) when (store.IsDead)
            {
                // That is what the test is about.
            }
            isDead = store.IsDead;
            await RequireWholeAsync(Open(clone), before, Contents(clone), deletions);
            await ApplyAsync(Open(clone), s_policy);
            Assert.Equal(expected, Contents(clone));
            Directory.Delete(clone, recursive: true);
        }
        Assert.True(deletions > 20, $"There were only {deletions} deletions.");
    }

    [Fact]
    public async Task KilledInABucketTheNextRunFinishesToo()
    {
        StoreServer server = await TestStores.CephAsync();
        foreach (int deletions in (int[])[0, 1, 2, 3, 4, 9, 17])
        {
            BackupRepository bucket = new(new PgBackup.Storage.S3.S3Store(await server.NewBucketAsync("pg")), null);
            foreach (string path in Directory.GetFiles(_lab.RepositoryPath, "*", SearchOption.AllDirectories))
                await bucket.Store.PutAsync(Path.GetRelativePath(_lab.RepositoryPath, path), await File.ReadAllBytesAsync(path));
            var store = new DyingStore(bucket.Store, deletions);
            await Assert.ThrowsAsync<PgBackupException>(() => ApplyAsync(new BackupRepository(store, null), s_policy));
            Assert.True(store.IsDead);
            Assert.All(await BackupCatalog.ListAsync(bucket), b => Assert.NotEqual(BackupStatus.Damaged, b.Status));
            await ApplyAsync(bucket, s_policy);
            Assert.Equal(_names[3..], (await BackupCatalog.ListAsync(bucket)).Select(b => b.Name));
            await foreach (StoredObject item in bucket.Store.ListAsync("", recursive: true))
                Assert.DoesNotContain(_names[..3], name => item.Key.Contains($"/{name}/", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task InABucketWithVersionsTheyStayUnlessTheyShallGoToo()
    {
        StoreServer server = await TestStores.CephAsync();
        PgBackup.Storage.S3.S3Settings settings = server.Settings(await server.CreateBucketAsync(versioning: true), "pg");
        var store = new PgBackup.Storage.S3.S3Store(settings);
        BackupRepository bucket = new(store, null);
        foreach (string path in Directory.GetFiles(_lab.RepositoryPath, "*", SearchOption.AllDirectories))
            await store.PutAsync(Path.GetRelativePath(_lab.RepositoryPath, path), await File.ReadAllBytesAsync(path));
        await ApplyAsync(bucket, new RetentionPolicy { KeepFull = 2, WalBuffer = TimeSpan.FromDays(9) });
        Assert.Equal(3 * 2, await store.PurgeVersionsAsync("basebackups_005/", key => key.EndsWith("_backup_stop_sentinel.json", StringComparison.Ordinal)));

        await using (RetentionRun run = await RetentionRun.PrepareAsync(bucket, new RetentionPolicy { KeepLast = 1, WalBuffer = TimeSpan.Zero }, new RetentionOptions { PurgeVersions = true }))
        {
            Assert.Equal(2, (await run.RemoveBackupsAsync().ToListAsync()).Count);
            foreach (RetentionDecision decision in run.Decisions.Where(d => d is { Action: RetentionAction.Remove, Kind: RetentionItemKind.Wal }))
                await run.RemoveWalAsync(decision);
            Assert.True(await run.PurgeVersionsAsync() > 20);
        }
        Assert.Equal(0, await store.PurgeVersionsAsync("wal_005/", _ => true));
        Assert.Equal(0, await store.PurgeVersionsAsync("basebackups_005/", key => key.Contains(_names[4], StringComparison.Ordinal) || key.Contains($"{_names[3]}/", StringComparison.Ordinal)));
        Assert.Equal([_names[5]], (await BackupCatalog.ListAsync(bucket)).Select(b => b.Name));
    }

    [Fact]
    public async Task WhileItRunsNoBackupBeginsAndTheOtherWayRound()
    {
        await using (RetentionRun run = await RetentionRun.PrepareAsync(_lab.Repository, s_policy))
        {
            PgBackupException refused = await Assert.ThrowsAsync<PgBackupException>(() => _lab.BackupAsync());
            Assert.Equal(("MaintenanceInProgress", ExitCodes.Locked), (refused.Id, refused.ExitCode));
            Assert.Equal("MaintenanceInProgress", (await Assert.ThrowsAsync<PgBackupException>(() => BackupMarks.LockAsync(_lab.Repository, _names[0], null))).Id);
        }
        await using (await BackupLease.AcquireAsync(_lab.Repository, "a full backup"))
            Assert.Equal("BackupInProgress", (await Assert.ThrowsAsync<PgBackupException>(() => RetentionRun.PrepareAsync(_lab.Repository, s_policy))).Id);
        await using (await BackupLease.AcquireForCopyAsync(_lab.Repository, "a copy"))
            Assert.Equal("CopyInProgress", (await Assert.ThrowsAsync<PgBackupException>(() => RetentionRun.PrepareAsync(_lab.Repository, s_policy))).Id);
        await _lab.BackupAsync();
    }

    [Fact]
    public async Task WhatIsLockedAfterTheDecisionStays()
    {
        await using RetentionRun run = await RetentionRun.PrepareAsync(_lab.Repository, s_policy);
        // As another program would: wal-g knows nothing of our lease.
        string metadata = Path.Combine(_lab.RepositoryPath, "basebackups_005", _names[1], "metadata.json");
        File.WriteAllText(metadata, File.ReadAllText(metadata).Replace("\"is_permanent\":false", "\"is_permanent\":true", StringComparison.Ordinal));

        List<RemovalResult> results = await run.RemoveBackupsAsync().ToListAsync();

        Assert.Equal([(_names[0], RemovalStatus.Retained), (_names[1], RemovalStatus.Retained), (_names[2], RemovalStatus.Removed)], results.Select(r => (r.Name, r.Status)).Order());
        Assert.Contains(run.Decisions, d => d.Kind == RetentionItemKind.Wal && d.Reason.Contains($"start to finish of {_names[0]}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task MoreThanTheLimitIsNothing()
    {
        PgBackupException refused = await Assert.ThrowsAsync<PgBackupException>(() => RetentionRun.PrepareAsync(_lab.Repository, s_policy, new RetentionOptions { MaxRemove = 2 }));
        Assert.Equal("RetentionLimitExceeded", refused.Id);
        Assert.Equal(6, (await BackupCatalog.ListAsync(_lab.Repository)).Count);
        await (await RetentionRun.PrepareAsync(_lab.Repository, s_policy, new RetentionOptions { MaxRemove = 3 })).DisposeAsync();
    }

    private static async Task<List<RemovalResult>> ApplyAsync(BackupRepository repository, RetentionPolicy policy)
    {
        var results = new List<RemovalResult>();
        await using RetentionRun run = await RetentionRun.PrepareAsync(repository, policy);
        await foreach (RemovalResult result in run.RemoveBackupsAsync())
            results.Add(result);
        foreach (RetentionDecision decision in run.Decisions.Where(d => d is { Action: RetentionAction.Remove, Kind: RetentionItemKind.Wal or RetentionItemKind.TimelineHistory }))
            results.Add(await run.RemoveWalAsync(decision));
        return results;
    }

    /// <summary>Everything that a listed backup consists of, and the WAL from its start to its finish, is there as it was.</summary>
    private static async Task RequireWholeAsync(BackupRepository repository, Dictionary<string, string> before, Dictionary<string, string> now, int deletions)
    {
        foreach (ClusterBackup backup in await BackupCatalog.ListAsync(repository))
        {
            if (backup.Status == BackupStatus.Unfinished)
                continue;
            Assert.True(backup.Status == BackupStatus.Complete, $"After {deletions} deletions {backup.Name} is {backup.Status}: {backup.Problem}");
            var size = new WalSegmentSize(1 << 20);
            IEnumerable<string> needed = before.Keys.Where(k => k.StartsWith($"basebackups_005/{backup.Name}", StringComparison.Ordinal));
            for (ulong n = size.SegmentNumberOf(backup.StartLsn!.Value); n <= size.SegmentNumberOf(backup.FinishLsn!.Value); n++)
                needed = needed.Append($"wal_005/{WalSegmentName.Of(backup.Timeline, n, size)}");
            foreach (string key in needed.Where(before.ContainsKey))
                Assert.True(now.TryGetValue(key, out string? content) && content == before[key], $"After {deletions} deletions {backup.Name} is listed, but not '{key}'.");
        }
    }

    private async Task<string> CloneAsync(string name)
    {
        string target = _lab.NewDestination(name);
        (await ServerAccount.Current.RunAsync("cp", ["-al", _lab.RepositoryPath, target])).EnsureSuccess();
        return target;
    }

    private static BackupRepository Open(string folder) => new(new DirectoryStore(folder), null);

    private static Dictionary<string, string> Contents(string folder) => Directory.GetFiles(folder, "*", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(folder, path))
        .Where(key => key is not ("pgbackup_v1/in_progress.json" or "pgbackup_v1/copy_in_progress.json" or RemovalJournal.Key))
        .ToDictionary(key => key, key => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(Path.Combine(folder, key)))));
}
