using PgBackup.Errors;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

public sealed class TimelineTests
{
    /// <summary>A cluster is brought back and goes on with archiving; afterwards both branches of its past can be reached, and no point of one by the way of the other.</summary>
    [Fact]
    public async Task BothBranchesOfAPastCanBeReached()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.Cluster.ExecuteAsync("SELECT pg_create_restore_point('fork')");
        DateTimeOffset old = await lab.InsertAsync("old");
        await lab.Cluster.ExecuteAsync("SELECT pg_create_restore_point('on old')");
        await lab.InsertAsync("old2");
        await lab.ArchiveAsync();
        await lab.Cluster.StopAsync();

        // The configuration of the source archives; kept, the new branch goes into the same repository.
        RestoreResult branch = await lab.RestoreAsync(new RestoreOptions
        {
            Request = lab.Request(RestoreTarget.AtName("fork"), lab.NewDestination("branch")) with { KeepArchiving = true },
            Start = true,
        });
        Assert.Equal(2u, branch.Timeline.Value);
        await RestoreLab.QueryAsync(branch, "INSERT INTO t VALUES ('new')");
        await RestoreLab.QueryAsync(branch, "SELECT pg_create_restore_point('on new')");
        await RestoreLab.QueryAsync(branch, "INSERT INTO t VALUES ('new2')");
        string segment = await RestoreLab.QueryAsync(branch, "SELECT pg_walfile_name(pg_switch_wal())");
        for (int i = 0; !File.Exists(Path.Combine(lab.WalFolder, segment)); i++)
        {
            Assert.True(i < 600);
            await Task.Delay(50);
        }
        await lab.StopAsync(branch.DataDirectory);

        RestorePlan latest = await lab.PlanAsync(RestoreTarget.Latest);
        Assert.Equal(2u, latest.Timeline.Value);
        Assert.Equal(2, latest.TimelinePath.Count);
        Assert.Equal("2", latest.RecoverySettings["recovery_target_timeline"]);
        await CheckAsync(lab, RestoreTarget.Latest, null, "A,new,new2");
        await CheckAsync(lab, RestoreTarget.AtName("on new"), null, "A,new");
        await CheckAsync(lab, RestoreTarget.Latest, new TimelineId(1), "A,old,old2");
        await CheckAsync(lab, RestoreTarget.AtTime(old), new TimelineId(1), "A,old");

        PgBackupException other = await Assert.ThrowsAsync<PgBackupException>(() => lab.PlanAsync(RestoreTarget.AtName("on old")));
        Assert.Equal("TargetNotReachable", other.Id);
        Assert.Contains("-Timeline 1", other.Hint, StringComparison.Ordinal);
        PgBackupException unknown = await Assert.ThrowsAsync<PgBackupException>(() => RestorePlanner.PlanAsync(
            lab.Repository, lab.Request(RestoreTarget.Latest) with { DataDirectory = null, Timeline = new TimelineId(7) }));
        Assert.Equal("TargetNotReachable", unknown.Id);

        IReadOnlyList<RecoveryWindow> windows = await RecoveryWindowFinder.FindAsync(lab.Repository);
        Assert.Equal([1u, 2u], windows.Select(w => w.Timeline.Value));
    }

    private static async Task CheckAsync(RestoreLab lab, RestoreTarget target, TimelineId? timeline, string rows)
    {
        string destination = lab.NewDestination(Guid.NewGuid().ToString("N")[..8]);
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = lab.Request(target, destination) with { Timeline = timeline }, Start = true });
        Assert.Equal(rows, await RestoreLab.RowsAsync(result));
        await lab.StopAsync(destination);
    }
}
