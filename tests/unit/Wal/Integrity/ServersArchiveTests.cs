using PgBackup.Backup;
using PgBackup.Codecs;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Kit.Stores;
using PgBackup.Tests.Postgres;
using PgBackup.Tests.Restore;
using PgBackup.Wal.Integrity;

namespace PgBackup.Tests.Wal.Integrity;

/// <summary>Archives of running servers, of several clusters and branches, of wal-g, and in a bucket.</summary>
public sealed class ServersArchiveTests
{
    [Theory]
    [InlineData(15)]
    [InlineData(17)]
    public async Task TheServersPositionIsTheRightBorder(int major)
    {
        await using RestoreLab lab = await RestoreLab.StartAsync(new PostgresClusterOptions { WalSegmentMegabytes = 1, Tools = PostgresTools.OfMajor(major) });
        await lab.BackupAsync();
        await lab.ArchiveAsync();
        WalArchiveCheck whole = await CheckAsync(lab, new WalCheckOptions { Level = WalCheckLevel.Records });
        Assert.Equal((WalCheckStatus.Ok, ""), (whole.Status, string.Join('\n', whole.Reasons)));

        await lab.Cluster.ExecuteAsync("ALTER SYSTEM SET archive_command = 'false'");
        await lab.Cluster.ExecuteAsync("SELECT pg_reload_conf()");
        await SwitchAsync(lab, 3);
        WalArchiveCheck waiting = await CheckAsync(lab, new WalCheckOptions());
        Assert.Equal((WalCheckStatus.Warning, WalSegmentState.Uploading, 3), (waiting.Status, waiting.Ranges[^1].State, waiting.Ranges[^1].Count));
        WalArchiveCheck late = await CheckAsync(lab, new WalCheckOptions { MaxDelayed = 2 });
        Assert.Equal([WalSegmentState.Uploading, WalSegmentState.Delayed], late.Ranges.Skip(1).Select(r => r.State));
        await SwitchAsync(lab, 15);
        WalArchiveCheck lost = await CheckAsync(lab, new WalCheckOptions());
        Assert.Equal((WalCheckStatus.Failure, 2, 16), (lost.Status, lost.Ranges[1].Count, lost.Ranges[2].Count));
        Assert.Equal([WalSegmentState.Found, WalSegmentState.Lost, WalSegmentState.Uploading], lost.Ranges.Select(r => r.State));

        // Promoted, and not even the history file comes: nothing in the archive leads to where the server is.
        await WalLoad.PromoteAsync(lab.Cluster);
        WalArchiveCheck elsewhere = await CheckAsync(lab, new WalCheckOptions());
        Assert.Equal(WalCheckStatus.Failure, elsewhere.Status);
        Assert.Contains("00000002.history", string.Join(' ', elsewhere.Reasons), StringComparison.Ordinal);
        await lab.Cluster.ExecuteAsync("ALTER SYSTEM RESET archive_command");
        await lab.Cluster.ExecuteAsync("SELECT pg_reload_conf()");
        await lab.ArchiveAsync();
        WalArchiveCheck promoted = await CheckAsync(lab, new WalCheckOptions());
        Assert.Equal(2u, promoted.Timeline.Value);

        await using PostgresCluster foreign = await PostgresCluster.RunAsync(new PostgresClusterOptions { FreshIdentity = true });
        Assert.Equal("ClusterIdentityMismatch", (await Assert.ThrowsAsync<PgBackupException>(async () =>
            await WalArchiveChecker.RunAsync(lab.Repository, new WalCheckOptions { Server = await PositionAsync(foreign) }).ToListAsync())).Id);
    }

    /// <summary>Two branches, each with a backup of its own: both are checked, and a gap behind the last backup of the one that was left is no failure.</summary>
    [Fact]
    public async Task ABranchThatWasLeftIsCheckedAsFarAsItsBackupsNeedIt()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync(new PostgresClusterOptions { WalSegmentMegabytes = 1 });
        await lab.BackupAsync();
        await lab.Cluster.ExecuteAsync("SELECT pg_create_restore_point('fork')");
        await SwitchAsync(lab, 1);
        BackupResult left = await lab.BackupAsync();
        await SwitchAsync(lab, 3);
        await lab.ArchiveAsync();
        await lab.Cluster.StopAsync();
        RestoreResult branch = await lab.RestoreAsync(new RestoreOptions
        {
            Request = lab.Request(RestoreTarget.AtName("fork"), lab.NewDestination("branch")) with { KeepArchiving = true },
            Start = true,
        });
        await RestoreLab.QueryAsync(branch, "SELECT pg_create_restore_point('new')");
        await lab.ArchiveAsync(branch);
        await lab.StopAsync(branch.DataDirectory);

        List<WalArchiveCheck> checks = await WalArchiveChecker.RunAsync(lab.Repository, new WalCheckOptions { Level = WalCheckLevel.Records }).ToListAsync();
        Assert.Equal([(2u, true, WalCheckStatus.Ok), (1u, false, WalCheckStatus.Ok)], checks.Select(c => (c.Timeline.Value, c.IsCurrent, c.Status)));
        Assert.DoesNotContain(left.Name, checks[0].Backups);
        Assert.Contains(left.Name, checks[1].Backups);

        ArchiveLab.Age(lab.Repository);
        ulong end = new WalSegmentSize(1 << 20).SegmentNumberOf(left.FinishLsn - 1);
        File.Delete(WalSamples.ObjectPath(lab.Repository, WalSegmentName.Of(TimelineId.First, end + 1, new WalSegmentSize(1 << 20)).ToString()));
        checks = await WalArchiveChecker.RunAsync(lab.Repository, new WalCheckOptions()).ToListAsync();
        Assert.Equal([WalCheckStatus.Ok, WalCheckStatus.Warning], checks.Select(c => c.Status));
        Assert.Equal(WalCheckStatus.Failure, Assert.Single(await WalArchiveChecker.RunAsync(lab.Repository, new WalCheckOptions { Timeline = TimelineId.First }).ToListAsync()).Status);
        File.Delete(WalSamples.ObjectPath(lab.Repository, WalSegmentName.Of(TimelineId.First, end, new WalSegmentSize(1 << 20)).ToString()));
        checks = await WalArchiveChecker.RunAsync(lab.Repository, new WalCheckOptions()).ToListAsync();
        Assert.Equal([WalCheckStatus.Ok, WalCheckStatus.Failure], checks.Select(c => c.Status));
        Assert.Equal([left.Name], checks[1].UnrestorableBackups);
    }

    /// <summary>After a fresh initdb both clusters' logs are in one archive, under names that do not tell them apart.</summary>
    [Fact]
    public async Task EachClusterHasAPathOfItsOwn()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync(new PostgresClusterOptions { FreshIdentity = true });
        BackupResult old = await lab.BackupAsync();
        await lab.ArchiveAsync();
        await lab.Cluster.StopAsync();
        await using PostgresCluster next = await lab.RunClusterAsync(new PostgresClusterOptions { FreshIdentity = true }, WalSegmentName.Parse("000000010000000000000010"));
        BackupResult young = await lab.BackupAsync(next.ConnectionString, newLineage: true);
        List<WalArchiveCheck> checks = await WalArchiveChecker.RunAsync(lab.Repository, new WalCheckOptions { Level = WalCheckLevel.Records }).ToListAsync();
        Assert.Equal(["", ""], checks.Select(c => string.Join('\n', c.Reasons)));
        Assert.Equal([old.Name, young.Name], checks.Select(c => Assert.Single(c.Backups)));
        Assert.NotEqual(checks[0].SystemIdentifier, checks[1].SystemIdentifier);
        List<WalSegmentRange> ranges = await WalSegmentLister.ListRangesAsync(lab.Repository).ToListAsync();
        Assert.Equal(checks.Select(c => c.SystemIdentifier), ranges.Select(r => r.SystemIdentifier).Distinct());
        Assert.DoesNotContain(ranges, r => r.IsGap);
    }

    [Theory]
    [InlineData("lz4")]
    [InlineData("zstd-sodium")]
    public async Task WhatWalGWroteIsReadToTheLastRecord(string name)
    {
        WalgFixture fixture = WalgFixture.Named(name);
        using var folder = new TempFolder();
        BackupRepository repository = fixture.Open(fixture.CopyTo(folder));
        WalArchiveCheck check = await ArchiveLab.CheckAsync(repository, WalCheckLevel.Records);
        Assert.Equal("", string.Join('\n', check.Reasons));
        Assert.Equal((fixture.SystemIdentifier, check.Count), (check.SystemIdentifier, check.ReadCount));
        Assert.Equal(fixture.Backups, check.Backups);
        Assert.DoesNotContain(await WalSegmentLister.ListRangesAsync(repository).ToListAsync(), r => r.IsGap);

        // Half an object: the codec or the cipher says so, of this object and no other.
        string key = (await WalSegmentLister.ListSegmentsAsync(repository).ToListAsync())[2].Objects[0];
        string path = Path.Combine(repository.Location, key);
        byte[] content = File.ReadAllBytes(path);
        File.WriteAllBytes(path, content[..(content.Length / 2)]);
        foreach (WalCheckLevel level in (WalCheckLevel[])[WalCheckLevel.Content, WalCheckLevel.Records])
            Assert.Equal(key, Assert.Single((await ArchiveLab.CheckAsync(repository, level)).Faults).Key);
        if (!repository.IsEncrypted)
            return;
        BackupRepository wrong = repository with { Key = EncryptionKey.FromSettings(new string('f', 64), KeyTransform.Hex) };
        Assert.Equal("EncryptionKeyInvalid", (await Assert.ThrowsAsync<PgBackupException>(() => ArchiveLab.CheckAsync(wrong))).Id);
    }

    [Fact]
    public async Task AnArchiveInABucketIsReadAsOneInAFolder()
    {
        WalgFixture fixture = WalgFixture.Named("zstd-sodium");
        var settings = await (await TestStores.CephAsync()).NewBucketAsync("some/prefix");
        BackupRepository repository = fixture.Open() with { Store = ObjectStores.Open(settings) };
        foreach (string file in Directory.EnumerateFiles(fixture.RepositoryPath, "*", SearchOption.AllDirectories))
            await repository.Store.PutAsync(Path.GetRelativePath(fixture.RepositoryPath, file), File.ReadAllBytes(file));
        WalArchiveCheck check = await ArchiveLab.CheckAsync(repository, WalCheckLevel.Records);
        Assert.Equal((WalCheckStatus.Ok, ""), (check.Status, string.Join('\n', check.Reasons)));
        WalSegment lost = (await WalSegmentLister.ListSegmentsAsync(repository).ToListAsync())[^2];
        await repository.Store.DeleteAsync(lost.Objects.ToList());
        WalSegmentRange gap = Assert.Single(await WalSegmentLister.ListRangesAsync(repository).ToListAsync(), r => r.IsGap);
        Assert.Equal(lost.Name, gap.First.ToString());
        await GapRegister.AcknowledgeAsync(repository, gap, "deleted by a test");
        Assert.Equal(1, (await ArchiveLab.CheckAsync(repository)).AcknowledgedCount);
        Assert.Equal(1, await GapRegister.RevokeAsync(repository, gap));
        Assert.Equal(0, (await ArchiveLab.CheckAsync(repository)).AcknowledgedCount);
    }

    private static async Task<WalArchiveCheck> CheckAsync(RestoreLab lab, WalCheckOptions options) =>
        Assert.Single(await WalArchiveChecker.RunAsync(lab.Repository, options with { Server = await PositionAsync(lab.Cluster) }).ToListAsync());

    private static async Task<ServerPosition> PositionAsync(PostgresCluster cluster)
    {
        await using ServerSession session = await ServerSession.OpenMaintenanceAsync(new ServerConnectionSettings { ConnectionString = cluster.ConnectionString });
        return await ServerPositionReader.ReadAsync(session);
    }

    private static async Task SwitchAsync(RestoreLab lab, int times)
    {
        for (int i = 0; i < times; i++)
        {
            await lab.Cluster.ExecuteAsync("INSERT INTO t VALUES ('a row')");
            await lab.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        }
    }
}
