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
        await lab.ArchiveAsync(branch);
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

    /// <summary>Three branches, each with a backup of its own: a backup is used along the histories that it lies on, and along no other.</summary>
    [Fact]
    public async Task ABackupOfAnAbandonedBranchLeadsNowhereElse()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        BackupResult root = await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.Cluster.ExecuteAsync("SELECT pg_create_restore_point('fork')");
        await lab.InsertAsync("B");
        BackupResult abandoned = await lab.BackupAsync();
        await lab.InsertAsync("C");
        await lab.ArchiveAsync();
        await lab.Cluster.StopAsync();

        // Two branches leave from the same point, the second one with a branch of its own.
        RestoreResult second = await BranchAsync(lab, RestoreTarget.AtName("fork"), new TimelineId(1), "second");
        Assert.Equal(2u, second.Timeline.Value);
        BackupResult onSecond = await lab.BackupAsync(RestoreLab.ConnectionStringOf(second));
        Assert.Equal(2u, onSecond.Timeline.Value);
        await RestoreLab.QueryAsync(second, "INSERT INTO t VALUES ('second')");
        await lab.ArchiveAsync(second);
        await lab.StopAsync(second.DataDirectory);
        RestoreResult third = await BranchAsync(lab, RestoreTarget.AtName("fork"), new TimelineId(1), "third");
        Assert.Equal(3u, third.Timeline.Value);
        await RestoreLab.QueryAsync(third, "INSERT INTO t VALUES ('third')");
        await lab.ArchiveAsync(third);
        await lab.StopAsync(third.DataDirectory);
        RestoreResult fourth = await BranchAsync(lab, RestoreTarget.Latest, new TimelineId(2), "fourth");
        Assert.Equal(4u, fourth.Timeline.Value);
        await RestoreLab.QueryAsync(fourth, "INSERT INTO t VALUES ('fourth')");
        await lab.ArchiveAsync(fourth);
        await lab.StopAsync(fourth.DataDirectory);

        await PlannedAsync(lab, null, null, 4, onSecond.Name, 2);
        await PlannedAsync(lab, null, 1, 1, abandoned.Name, 1);
        await PlannedAsync(lab, null, 2, 2, onSecond.Name, 1);
        await PlannedAsync(lab, null, 3, 3, root.Name, 2);
        await PlannedAsync(lab, root.Name, null, 4, root.Name, 3);
        await PlannedAsync(lab, abandoned.Name, null, 1, abandoned.Name, 1);
        foreach ((string name, uint timeline) in new[] { (abandoned.Name, 2u), (abandoned.Name, 3u), (abandoned.Name, 4u), (onSecond.Name, 1u), (onSecond.Name, 3u) })
        {
            PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => PlanAsync(lab, name, timeline));
            Assert.Equal("TargetNotReachable", error.Id);
        }
        await CheckAsync(lab, RestoreTarget.Latest, null, "A,fourth,second");
        await CheckAsync(lab, RestoreTarget.Latest, new TimelineId(1), "A,B,C");
        await CheckAsync(lab, RestoreTarget.Latest, new TimelineId(2), "A,second");
        await CheckAsync(lab, RestoreTarget.Latest, new TimelineId(3), "A,third");
    }

    // Restored with archiving kept, so that the branch goes into the same repository.
    private static Task<RestoreResult> BranchAsync(RestoreLab lab, RestoreTarget target, TimelineId timeline, string name) => lab.RestoreAsync(new RestoreOptions
    {
        Request = lab.Request(target, lab.NewDestination(name)) with { KeepArchiving = true, Timeline = timeline },
        Start = true,
    });

    private static Task<RestorePlan> PlanAsync(RestoreLab lab, string? name, uint? timeline) => RestorePlanner.PlanAsync(
        lab.Repository, lab.Request(RestoreTarget.Latest) with { DataDirectory = null, Name = name, Timeline = timeline is { } number ? new TimelineId(number) : null });

    private static async Task PlannedAsync(RestoreLab lab, string? name, uint? timeline, uint followed, string backup, int steps)
    {
        RestorePlan plan = await PlanAsync(lab, name, timeline);
        Assert.Equal((followed, backup, steps), (plan.Timeline.Value, plan.Name, plan.TimelinePath.Count));
    }

    private static async Task CheckAsync(RestoreLab lab, RestoreTarget target, TimelineId? timeline, string rows)
    {
        string destination = lab.NewDestination(Guid.NewGuid().ToString("N")[..8]);
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = lab.Request(target, destination) with { Timeline = timeline }, Start = true });
        Assert.Equal(rows, await RestoreLab.RowsAsync(result));
        await lab.StopAsync(destination);
    }
}
