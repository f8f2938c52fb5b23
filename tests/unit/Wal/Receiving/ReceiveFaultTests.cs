using Npgsql;
using PgBackup.Codecs;
using PgBackup.Repository;
using PgBackup.Tests.Backup.Remote;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Storage.S3;
using PgBackup.TestServers.Proxy;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Receiving;

namespace PgBackup.Tests.Wal.Receiving;

public sealed class ReceiveFaultTests
{
    [Fact]
    public async Task AConnectionThatIsCutAgainAndAgainLosesNothing()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        var random = new Random(7);
        await using var proxy = new TamperingProxy(lab.Cluster.Port, (_, before) => before < 2000 || random.Next(40) > 0);
        string through = new NpgsqlConnectionStringBuilder(lab.Cluster.ConnectionString) { Port = proxy.Port }.ConnectionString;
        await using RunningReceiver receiver = lab.Receive(lab.Options(through));
        await receiver.SaidAsync("Receiving timeline");
        for (int i = 0; i < 10; i++)
            await lab.WriteAsync(rows: 1500, size: 300);
        await lab.CaughtUpAsync();
        await receiver.StopAsync();
        Assert.Contains(receiver.Lines, line => line.Contains("Trying again", StringComparison.Ordinal));
        Assert.True(await lab.AssertEqualsServerAsync() >= 3);
    }

    [Theory]
    [InlineData(15)]
    [InlineData(17)]
    public async Task APromotionIsFollowedAndBothEndsCanBeRestored(int major)
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync(ReceiveLab.SmallSegments(major));
        await using (RunningReceiver before = lab.Receive())
        {
            await before.SaidAsync("Receiving timeline");
            await lab.BackupAsync();
            await before.StopAsync();
        }
        // Another one gets the log from a standby, which is promoted while it is followed.
        await using PostgresCluster standby = await lab.Cluster.RunStandbyAsync();
        await using RunningReceiver receiver = lab.Receive(lab.Options(standby.ConnectionString));
        await receiver.SaidAsync("Receiving timeline");
        string begin = await lab.Cluster.WalEndAsync();
        await lab.Cluster.ExecuteAsync("CREATE TABLE m (v text); INSERT INTO m VALUES ('before')");
        await lab.WriteAsync(rows: 2500, size: 300);
        await standby.WaitForReplayAsync(await lab.Cluster.WalEndAsync());
        await lab.Cluster.StopAsync(StopMode.Immediate);

        await standby.ExecuteAsync("SELECT pg_promote()");
        await standby.ExecuteAsync("INSERT INTO m VALUES ('after')");
        await lab.WriteAsync(rows: 2500, size: 300, cluster: standby);
        await lab.CaughtUpAsync(standby);
        await receiver.StopAsync();

        Assert.Contains(receiver.Received, item => item is { Kind: WalFileKind.History, Name: "00000002.history" });
        Assert.True(File.Exists(Path.Combine(lab.RepositoryPath, "wal_005", "00000002.history.zst")));
        ReceivedWal last = receiver.Received.Last(item => item.Timeline == TimelineId.First);
        Assert.Equal(ReceivedWalStatus.Unfinished, last.Status);
        // History before any segment.
        Assert.True(receiver.Received.ToList().FindIndex(i => i.Kind == WalFileKind.History) < receiver.Received.ToList().FindIndex(i => i.Timeline.Value == 2 && i.Kind == WalFileKind.Segment));
        WalFetchResult end = await WalFetch.FetchAsync(lab.Repository, last.Name, lab.Folder.Combine("last"));
        Assert.Equal(last.EndLsn, end.EndLsn);
        Assert.True(end.EndLsn > Lsn.Parse(begin));
        Assert.True(await lab.AssertEqualsServerAsync(standby) >= 2);
        Assert.Equal("after,before", await lab.AskRestoredAsync("SELECT string_agg(v, ',' ORDER BY v) FROM m"));
        Assert.Equal("before 2500", await lab.AskRestoredAsync("SELECT string_agg(v, ',') || ' ' || (SELECT count(*) FROM t) FROM m", timeline: TimelineId.First));
    }

    [Fact]
    public async Task AServerWithAnotherPastUnderTheSameNameIsRefused()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        await using (RunningReceiver receiver = lab.Receive())
        {
            await receiver.SaidAsync("Receiving timeline");
            await lab.WriteAsync(rows: 20);
            await lab.CaughtUpAsync();
            await receiver.StopAsync();
        }
        // A copy of the same template: the same identity and timeline, other WAL.
        await using PostgresCluster other = await PostgresCluster.RunAsync(ReceiveLab.SmallSegments());
        await using (RunningReceiver behind = lab.Receive(lab.Options(other.ConnectionString)))
            Assert.Equal("WalAheadOfServer", (await behind.FailureAsync()).Id);
        await other.ExecuteAsync("CREATE TABLE x AS SELECT i, md5(i::text) FROM generate_series(1, 2000) i");
        int before = (await lab.PiecesAsync()).Count;
        await using (RunningReceiver ahead = lab.Receive(lab.Options(other.ConnectionString)))
            Assert.Equal("WalContentConflict", (await ahead.FailureAsync()).Id);
        Assert.Equal(before, (await lab.PiecesAsync()).Count);
    }

    [Fact]
    public async Task TwoReceiversOfOneClusterGetAlong()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        await using RunningReceiver one = lab.Receive(lab.Options() with { MaxLag = TimeSpan.FromMilliseconds(50) });
        await using RunningReceiver two = lab.Receive(lab.Options() with { Slot = "second", MaxLag = TimeSpan.FromMilliseconds(70) });
        await one.SaidAsync("Receiving timeline");
        await two.SaidAsync("Receiving timeline");
        for (int i = 0; i < 30; i++)
            await lab.WriteAsync(rows: 100, size: 300);
        await lab.CaughtUpAsync();
        await one.StopAsync();
        await two.StopAsync();
        Assert.False(one.Task.IsFaulted || two.Task.IsFaulted);
        Assert.True(await lab.AssertEqualsServerAsync() >= 1);
    }

    [Fact]
    public async Task BigSegmentsPassThroughLittleRoom()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync(new PostgresClusterOptions { WalSegmentMegabytes = 64, Settings = new Dictionary<string, string> { ["autovacuum"] = "off" } });
        await using RunningReceiver receiver = lab.Receive();
        await receiver.SaidAsync("Receiving timeline");
        for (int i = 0; i < 3; i++)
        {
            await lab.WriteAsync(rows: 2000, size: 9000);
            await lab.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        }
        await lab.CaughtUpAsync();
        await receiver.StopAsync();
        Assert.True(await lab.AssertEqualsServerAsync() >= 3);
    }

    [Fact]
    public async Task AStoreThatFailsAndIsSlowHoldsNothingUpForGood()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        await using FaultyStore store = await FaultyStore.OpenAsync(settings => settings with { MaxRetries = 1 });
        var repository = new BackupRepository(store.Store, null);
        await using RunningReceiver receiver = lab.Receive(repository: repository);
        await receiver.SaidAsync("Receiving timeline");
        await lab.WriteAsync();
        await lab.CaughtUpAsync();

        store.Proxy.Add(request => true, Fault.InternalError, times: 20);
        store.Proxy.Add(request => true, new Fault.Delay(TimeSpan.FromSeconds(1.5)), times: 20);
        await lab.WriteAsync(rows: 1500, size: 300);
        await lab.CaughtUpAsync();
        await receiver.SaidAsync("cannot be stored");

        await lab.WriteAsync(rows: 1500, size: 300);
        await lab.CaughtUpAsync();
        await receiver.StopAsync();
        Assert.False(receiver.Task.IsFaulted);
        // The server never gave the connection up for silence (wal_sender_timeout is 5 s).
        Assert.DoesNotContain("terminating walsender process due to replication timeout", await File.ReadAllTextAsync(lab.Cluster.LogFile), StringComparison.Ordinal);
        lab.Repository = new BackupRepository(store.Direct, null);
        WalInventory inventory = await WalInventory.LoadAsync(lab.Repository);
        WalSegmentName lastWhole = inventory.LastOf(TimelineId.First, new WalSegmentSize(1 << 20))!.Value;
        await WalFetch.FetchAsync(lab.Repository, lastWhole.ToString(), lab.Folder.Combine("fetched"));
        Assert.Equal(File.ReadAllBytes(Path.Combine(lab.Cluster.DataDirectory, "pg_wal", lastWhole.ToString())), File.ReadAllBytes(lab.Folder.Combine("fetched")));
    }

    [Fact]
    public async Task AFullDiskOfTheRepositoryIsWaitedFor()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(24);
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        lab.Repository = WalSamples.Repository(Path.Combine(disk.Path, "repo"), CompressionMethod.None);
        await using RunningReceiver receiver = lab.Receive();
        await receiver.SaidAsync("Receiving timeline");
        await lab.WriteAsync();
        await lab.CaughtUpAsync();
        string filler = Path.Combine(disk.Path, "filler");
        Fill(filler);
        await lab.WriteAsync(rows: 1500, size: 1000);
        await receiver.SaidAsync("cannot be stored");
        File.Delete(filler);
        await lab.CaughtUpAsync();
        await receiver.StopAsync();
        Assert.False(receiver.Task.IsFaulted);
        foreach (string path in Directory.GetFiles(Path.Combine(disk.Path, "repo", "wal_005")))
            Assert.Equal(File.ReadAllBytes(Path.Combine(lab.Cluster.DataDirectory, "pg_wal", Path.GetFileName(path))), File.ReadAllBytes(path));
    }

    private static void Fill(string path)
    {
        using FileStream file = File.Create(path, bufferSize: 1);
        byte[] some = new byte[4096];
        try
        {
            while (true)
                file.Write(some);
        }
        catch (IOException)
        {
            // It is full.
        }
    }
}
