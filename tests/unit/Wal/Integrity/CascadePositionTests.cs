using PgBackup.Postgres.Server;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Integrity;

namespace PgBackup.Tests.Wal.Integrity;

/// <summary>Where the log of a standby ends that follows another standby.</summary>
public sealed class CascadePositionTests
{
    [Theory]
    [InlineData(13)]
    [InlineData(18)]
    public async Task AfterItsUpstreamsPromotionAStandbyIsOnTheNewTimeline(int major)
    {
        await using PostgresCluster primary = await PostgresCluster.RunAsync(new PostgresClusterOptions
        {
            // The checkpoint that follows a promotion takes its time.
            Tools = PostgresTools.OfMajor(major), Settings = new Dictionary<string, string> { ["checkpoint_timeout"] = "1h", ["checkpoint_completion_target"] = "0.9" },
        });
        await using PostgresCluster middle = await primary.RunStandbyAsync();
        await using PostgresCluster last = await primary.RunStandbyAsync(new Dictionary<string, string> { ["primary_conninfo"] = $"host=127.0.0.1 port={middle.Port} user=postgres" });
        await primary.ExecuteAsync("CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 50000)");
        await last.WaitForReplayAsync(await primary.WalEndAsync());
        Assert.Equal(TimelineId.First, (await PositionAsync(last)).Timeline);

        await primary.StopAsync(StopMode.Immediate);
        await middle.ExecuteAsync("SELECT pg_promote()");
        await middle.ExecuteAsync("INSERT INTO t VALUES (1)");
        string end = await middle.WalEndAsync();
        await last.WaitForReplayAsync(end);

        ServerPosition position = await PositionAsync(last);
        Assert.Equal(2u, position.Timeline.Value);
        Assert.True(position.Lsn >= Lsn.Parse(end));
        Assert.Equal(2u, (await PositionAsync(middle)).Timeline.Value);
        // Its own checkpoint has not moved on: that alone would tell the timeline that was left.
        Assert.Equal(1, await last.ScalarAsync<int>("SELECT timeline_id FROM pg_control_checkpoint()"));

        // Nobody sends any more, and what was received tells nothing after a restart.
        await middle.StopAsync(StopMode.Immediate);
        await last.RestartAsync();
        await last.WaitForReplayAsync(end);
        Assert.Equal(0L, await last.ScalarAsync<long>("SELECT count(*) FROM pg_stat_wal_receiver WHERE received_tli IS NOT NULL"));
        Assert.Equal(1, await last.ScalarAsync<int>("SELECT timeline_id FROM pg_control_checkpoint()"));
        Assert.Equal(2u, (await PositionAsync(last)).Timeline.Value);
    }

    private static async Task<ServerPosition> PositionAsync(PostgresCluster cluster)
    {
        await using ServerSession session = await ServerSession.OpenMaintenanceAsync(new ServerConnectionSettings { ConnectionString = cluster.ConnectionString });
        return await ServerPositionReader.ReadAsync(session);
    }
}
