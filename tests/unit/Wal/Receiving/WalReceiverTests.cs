using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Pieces;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Push;
using PgBackup.Wal.Receiving;

namespace PgBackup.Tests.Wal.Receiving;

public sealed class WalReceiverTests
{
    [Theory]
    [InlineData(15, null)]
    [InlineData(13, null)]
    [InlineData(17, WalSamples.HexKey)]
    [InlineData(18, null)]
    public async Task WhatIsStoredIsWhatTheServerHas(int major, string? key)
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync(ReceiveLab.SmallSegments(major), key);
        await using RunningReceiver receiver = lab.Receive();
        await receiver.SaidAsync("Receiving timeline");
        for (int i = 0; i < 6; i++)
            await lab.WriteAsync(rows: 2000, size: 400);
        await lab.CaughtUpAsync();
        await receiver.StopAsync();

        Assert.True(await lab.AssertEqualsServerAsync() >= 4);
        ReceivedWal[] rows = [.. receiver.Received];
        Assert.Equal(ReceivedWalStatus.Unfinished, rows[^1].Status);
        Assert.All(rows[..^1], row => Assert.Equal(ReceivedWalStatus.Stored, row.Status));
        Assert.Equal(Lsn.Parse(await lab.Cluster.WalEndAsync()), rows[^1].EndLsn);
        // Of whole segments no pieces are left.
        Assert.All(await lab.PiecesAsync(), piece => Assert.Equal(rows[^1].Name, piece.Segment.ToString()));
        if (key is not null)
            Assert.All(Directory.GetFiles(Path.Combine(lab.RepositoryPath, "wal_005")), path => Assert.NotEqual([0x28, 0xB5, 0x2F, 0xFD], File.ReadAllBytes(path)[..4]));
    }

    [Fact]
    public async Task AnotherOneGoesOnWhereOneStopped()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        for (int round = 0; round < 5; round++)
        {
            await using RunningReceiver receiver = lab.Receive();
            await lab.WriteAsync(rows: 700, size: 300);
            await lab.CaughtUpAsync();
            await receiver.StopAsync();
            await lab.WriteAsync(rows: 50);
        }
        await using (RunningReceiver last = lab.Receive())
        {
            await lab.CaughtUpAsync();
            await last.StopAsync();
            Assert.Contains(last.Lines, line => line.Contains("The repository holds pieces of", StringComparison.Ordinal));
        }
        Assert.True(await lab.AssertEqualsServerAsync() >= 1);
        int end = WalPieceCover.PrefixOf(await lab.PiecesAsync());
        string name = (await lab.PiecesAsync())[0].Segment.ToString();
        await PgBackup.Wal.Fetch.WalFetch.FetchAsync(lab.Repository, name, lab.Folder.Combine("tail"));
        byte[] own = File.ReadAllBytes(Path.Combine(lab.Cluster.DataDirectory, "pg_wal", name));
        Assert.True(own.AsSpan(0, end).SequenceEqual(File.ReadAllBytes(lab.Folder.Combine("tail")).AsSpan(0, end)));
    }

    [Fact]
    public async Task TheServerMayRestartAndPushTheSameSegmentsItself()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        await using RunningReceiver receiver = lab.Receive();
        await receiver.SaidAsync("Receiving timeline");
        await lab.WriteAsync(rows: 500, size: 300);
        await lab.Cluster.RestartAsync();
        await lab.WriteAsync(rows: 500, size: 300);
        await lab.CaughtUpAsync();
        await lab.Cluster.RestartAsync(StopMode.Immediate);
        await lab.WriteAsync(rows: 3000, size: 300);
        string ahead = await lab.Cluster.ScalarAsync<string>("SELECT pg_walfile_name(pg_current_wal_flush_lsn())");
        await lab.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        await lab.CaughtUpAsync();
        Assert.Equal(WalPushStatus.AlreadyStored, (await WalPush.PushAsync(lab.Repository, Path.Combine(lab.Cluster.DataDirectory, "pg_wal", ahead))).Status);
        await receiver.StopAsync();
        Assert.True(await lab.AssertEqualsServerAsync() >= 2);
    }

    [Fact]
    public async Task AGapIsAnErrorAtOnceUnlessItIsAllowed()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        await using (RunningReceiver first = lab.Receive())
        {
            await lab.WriteAsync(rows: 500, size: 300);
            await lab.CaughtUpAsync();
            await first.StopAsync();
        }
        await lab.Cluster.ExecuteAsync($"SELECT pg_drop_replication_slot('{ReceiveLab.Slot}')");
        for (int i = 0; i < 8; i++)
        {
            await lab.WriteAsync(rows: 100, size: 300);
            await lab.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        }
        await lab.Cluster.ExecuteAsync("CHECKPOINT");
        await lab.Cluster.ExecuteAsync("CHECKPOINT");

        await using (RunningReceiver second = lab.Receive())
            Assert.Equal("WalGapDetected", (await second.FailureAsync()).Id);
        Assert.True(
            await lab.Cluster.ScalarAsync<bool>($"SELECT EXISTS (SELECT FROM pg_ls_waldir() w, pg_replication_slots s WHERE s.slot_name = '{ReceiveLab.Slot}' AND w.name = pg_walfile_name(s.restart_lsn))"),
            "The slot reserves WAL that is gone.");

        await using RunningReceiver third = lab.Receive(lab.Options() with { AllowGap = true });
        await third.SaidAsync("behind the gap");
        await lab.CaughtUpAsync();
        await third.StopAsync();
    }

    [Fact]
    public async Task AnotherClusterAndAnotherReceiverAreRefused()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        await using RunningReceiver receiver = lab.Receive();
        await lab.WriteAsync();
        await lab.CaughtUpAsync();

        await using (RunningReceiver second = lab.Receive())
            Assert.Equal("ReplicationSlotBusy", (await second.FailureAsync()).Id);
        await using (RunningReceiver without = lab.Receive(lab.Options() with { Slot = "nowhere", CreateSlot = false }))
            Assert.Equal("ReplicationSlotNotFound", (await without.FailureAsync()).Id);
        await using (RunningReceiver wrong = lab.Receive(lab.Options() with { Slot = "Wrong" }))
            Assert.Equal("ReceiveOptionsInvalid", (await wrong.FailureAsync()).Id);
        await using PostgresCluster other = await PostgresCluster.RunAsync(ReceiveLab.SmallSegments() with { FreshIdentity = true });
        await using (RunningReceiver foreign = lab.Receive(lab.Options(other.ConnectionString)))
            Assert.Equal("ClusterIdentityMismatch", (await foreign.FailureAsync()).Id);
        await lab.WriteAsync();
        await lab.CaughtUpAsync();
        await receiver.StopAsync();
    }

    [Fact]
    public async Task ReceivingEndsAtALimit()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        await lab.Cluster.ExecuteAsync($"SELECT pg_create_physical_replication_slot('{ReceiveLab.Slot}', true)");
        await lab.WriteAsync(rows: 1000, size: 300);
        Lsn end = Lsn.Parse(await lab.Cluster.WalEndAsync());
        await using (RunningReceiver byLsn = lab.Receive(lab.Options() with { CreateSlot = false, Until = ReceiveLimit.At(end), MaxLag = TimeSpan.FromMinutes(5) }))
        {
            await byLsn.Task.WaitAsync(TimeSpan.FromSeconds(30));
            Assert.True(byLsn.Received.Last().EndLsn >= end);
        }
        await using (RunningReceiver byTime = lab.Receive(lab.Options() with { Until = ReceiveLimit.After(TimeSpan.FromSeconds(2)), MaxLag = TimeSpan.FromMinutes(5) }))
        {
            await byTime.SaidAsync("Receiving timeline");
            await lab.WriteAsync();
            Lsn written = Lsn.Parse(await lab.Cluster.WalEndAsync());
            await byTime.Task.WaitAsync(TimeSpan.FromSeconds(30));
            Assert.True(byTime.Received.Last().EndLsn >= written);
        }
        await using (RunningReceiver far = lab.Receive(lab.Options() with { Until = ReceiveLimit.After(TimeSpan.FromDays(60)) }))
        {
            await far.SaidAsync("Receiving timeline");
            await lab.WriteAsync();
            await lab.CaughtUpAsync();
            await far.StopAsync();
        }
        await using RunningReceiver already = lab.Receive(lab.Options() with { Until = ReceiveLimit.At(end) });
        await already.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task ManySmallWritesDoNotMakeManyObjects()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync(ReceiveLab.SmallSegments(megabytes: 16));
        await using RunningReceiver receiver = lab.Receive(lab.Options() with { MaxLag = TimeSpan.FromMilliseconds(1), FlushInterval = TimeSpan.FromMilliseconds(1) });
        await receiver.SaidAsync("Receiving timeline");
        int most = 0;
        for (int i = 0; i < 150; i++)
        {
            await lab.WriteAsync();
            if (i % 10 == 0)
            {
                await lab.CaughtUpAsync();
                most = Math.Max(most, (await lab.PiecesAsync()).Count);
            }
        }
        await receiver.StopAsync();
        Assert.InRange(most, 1, 3 * PieceLadder.Step);
    }
}
