using System.Text;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Storage;

namespace PgBackup.Tests.Wal.Receiving;

/// <summary>A server was promoted and lost before anything of its new timeline but the history was stored, and of the old one there are pieces.</summary>
public sealed class ReceiveHistoryTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task LatestFollowsTheParentAsFarAsItsPiecesGo(bool goesOn)
    {
        var size = new WalSegmentSize(1 << 20);
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        Lsn left = default;
        await PiecesArchiveTests.ReceiveAsync(lab, async () =>
        {
            await lab.BackupAsync();
            await lab.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
            await lab.WriteAsync(rows: 20);
            left = Lsn.Parse(await lab.Cluster.WalEndAsync());
            await lab.WriteAsync(rows: 5);
        });
        WalTail tail = (await WalInventory.LoadAsync(lab.Repository)).Tails.MaxBy(t => t.Segment)!;
        Lsn end = tail.Segment.StartFor(size) + (ulong)tail.Length;
        Assert.True(left < end && size.SegmentNumberOf(left) == size.SegmentNumberOf(end));
        Lsn switchPoint = goesOn ? left : end + 64;
        TimelineHistory history = TimelineHistory.Of(new TimelineId(2), [new TimelineSwitch(TimelineId.First, switchPoint, "no recovery target specified")]);
        await lab.Repository.Store.PutAsync(RepositoryLayout.WalFolder + "00000002.history", Encoding.UTF8.GetBytes(history.Format()), PutCondition.None, CancellationToken.None);

        RestorePlan plan = await PiecesArchiveTests.PlanAsync(lab);

        Assert.Equal((1u, tail.Segment.ToString()), (plan.Timeline.Value, plan.LastSegment));
        Assert.True(plan.ReachedLsn > left && plan.ReachedLsn <= end);
        string warning = Assert.Single(plan.Warnings);
        Assert.Contains("history file alone", warning, StringComparison.Ordinal);
        Assert.Contains(goesOn ? $"goes on behind {switchPoint}" : $"is there up to {end}, no further than {switchPoint}", warning, StringComparison.Ordinal);
        Assert.Equal(goesOn, warning.Contains("Give -Timeline 2", StringComparison.Ordinal));
        Assert.Equal("25", await lab.AskRestoredAsync("SELECT count(*)::text FROM t"));
    }
}
