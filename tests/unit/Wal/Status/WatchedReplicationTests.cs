using PgBackup.Tests.Kit;
using PgBackup.Wal.Status;

namespace PgBackup.Tests.Wal.Status;

/// <summary>Slots, receivers and standbys, on the oldest and the newest server.</summary>
public sealed class WatchedReplicationTests
{
    [Theory]
    [InlineData(13)]
    [InlineData(15)]
    [InlineData(18)]
    public async Task SlotsThatHoldBackAndAreLostAreSeen(int major)
    {
        await using WatchedServer watched = await WatchedServer.StartAsync(null, major, ("max_wal_size", "32MB"), ("min_wal_size", "32MB"));
        await watched.Cluster.ExecuteAsync("SELECT pg_create_physical_replication_slot('left', true); SELECT pg_create_physical_replication_slot('unused')");
        await watched.SwitchAsync(4);
        WalArchiveStatus well = await watched.WaitAsync(s => s is { ArchivedCount: > 3, ReadyCount: 0 });
        Assert.Equal(WalArchiveHealth.Ok, well.Status);
        WalSlotStatus unused = well.Slots.Single(s => s.Name == "unused");
        Assert.Null(unused.Lag);
        Assert.False(unused.IsActive);
        Assert.InRange(well.Slots.Single(s => s.Name == "left").Lag!.Value.Bytes, 48L << 20, 100L << 20);
        WalArchiveStatus held = await watched.LookAsync(new WalArchiveStatusOptions { Thresholds = new WalArchiveThresholds { MaxSlotLag = new(10 << 20) }, Interval = TimeSpan.FromMilliseconds(200) });
        Assert.Equal(WalArchiveHealth.Warning, held.Status);
        Assert.Contains("pg_drop_replication_slot('left')", Assert.Single(held.Reasons), StringComparison.Ordinal);
        Assert.NotNull(held.BacklogGrowth);

        await watched.Cluster.ExecuteAsync("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'");
        await watched.Cluster.ExecuteAsync("SELECT pg_reload_conf()");
        await watched.SwitchAsync(2);
        await watched.Cluster.ExecuteAsync("CHECKPOINT");
        WalArchiveStatus lost = await watched.WaitAsync(s => s.ReadyCount == 0 && s.Slots.Any(slot => slot.IsLost));
        Assert.Equal(WalArchiveHealth.Warning, lost.Status);
        Assert.StartsWith("The slot 'left' is lost", Assert.Single(lost.Reasons), StringComparison.Ordinal);
        Assert.Equal(major >= 17, lost.Slots.Single(s => s.Name == "left").InvalidationReason is not null);
    }

    [Theory]
    [InlineData(13)]
    [InlineData(18)]
    public async Task AStandbyIsJudgedByWhatHasArrivedAndAPrimaryBySlotlessReceivers(int major)
    {
        await using WatchedServer watched = await WatchedServer.StartAsync(null, major);
        await using PostgresCluster standby = await watched.Cluster.RunStandbyAsync();
        await watched.SwitchAsync(2);
        WalArchiveStatus primary = await watched.WaitAsync(s => s is { ArchivedCount: > 1, ReadyCount: 0 });
        Assert.Equal(WalArchiveHealth.Ok, primary.Status);
        WalReceiverStatus receiver = Assert.Single(primary.Receivers);
        Assert.Null(receiver.SlotName);
        Assert.Equal("streaming", receiver.State);
        Assert.Contains("without a slot", Assert.Single(primary.Notes), StringComparison.Ordinal);

        await standby.WaitForReplayAsync(await watched.Cluster.WalEndAsync());
        WalArchiveStatus seen = await watched.LookAsync(new WalArchiveStatusOptions { Probe = true }, cluster: standby);
        Assert.True(seen.IsStandby);
        Assert.Equal(WalArchiveMethod.None, seen.Method);
        Assert.Contains("a standby cannot switch WAL", Assert.Single(seen.Reasons), StringComparison.Ordinal);
        Assert.Equal(WalArchiveHealth.Ok, (await watched.LookAsync(cluster: standby)).Status);
        Assert.Equal(primary.NewestSegment, seen.NewestSegment);
        using var empty = new TempFolder();
        WalArchiveStatus nothing = await watched.LookAsync(cluster: standby, repository: WalSamples.Repository(empty.Path));
        Assert.Equal(WalArchiveHealth.Failure, nothing.Status);
    }

    [Fact]
    public async Task AServerThatOnlyStreamsIsNotOff()
    {
        await using WatchedServer watched = await WatchedServer.StartAsync(null, null, ("archive_mode", "off"));
        Assert.Equal(WalArchiveHealth.Off, (await watched.LookAsync()).Status);
        await watched.Cluster.ExecuteAsync("SELECT pg_create_physical_replication_slot('stream')");
        // Who streams is a standby here, and what it would store is copied by hand.
        PostgresCluster receiver = await watched.Cluster.RunStandbyAsync(new Dictionary<string, string> { ["primary_slot_name"] = "stream" });
        await using (receiver)
        {
            await watched.SwitchAsync(2);
            foreach (string name in new[] { "000000010000000000000001", "000000010000000000000002", "000000010000000000000003", "000000010000000000000004" })
            {
                string path = Path.Combine(watched.Cluster.DataDirectory, "pg_wal", name);
                if (File.Exists(path) && string.CompareOrdinal(name, (await watched.LookAsync()).CurrentSegment.ToString()) < 0)
                    File.Copy(path, Path.Combine(watched.Archive, name));
            }
            WalArchiveStatus streaming = await watched.LookAsync();
            Assert.Equal(WalArchiveMethod.Streaming, streaming.Method);
            Assert.Equal(WalArchiveHealth.Ok, streaming.Status);
            Assert.Equal(0, streaming.LagSegments);
            Assert.Equal("stream", Assert.Single(streaming.Receivers).SlotName);
        }
        WalArchiveStatus left = await watched.WaitAsync(s => !s.Slots[0].IsActive);
        Assert.Equal(WalArchiveHealth.Failure, left.Status);
        Assert.Contains("nobody is connected with the slot 'stream'", left.Reasons[0], StringComparison.Ordinal);
    }
}
