using PgBackup.Errors;
using PgBackup.Restore;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>Insert A, note the point, insert B, restore: A is there and B is not. For every kind of target.</summary>
public sealed class PointInTimeTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(64)]
    public async Task EveryKindOfTargetIsReached(int segmentMegabytes)
    {
        await using RestoreLab lab = await RestoreLab.StartAsync(new PostgresClusterOptions { WalSegmentMegabytes = segmentMegabytes });
        await lab.BackupAsync();
        DateTimeOffset time = await lab.InsertAsync("A");
        Lsn lsn = await lab.LsnAsync();
        await lab.Cluster.ExecuteAsync("SELECT pg_create_restore_point('after A')");
        string xid = await lab.Cluster.ScalarAsync<string>("WITH i AS (INSERT INTO t VALUES ('B') RETURNING 1) SELECT pg_current_xact_id()::text FROM i");
        await lab.InsertAsync("C");
        await lab.ArchiveAsync();

        await CheckAsync(lab, RestoreTarget.AtTime(time), "A");
        await CheckAsync(lab, RestoreTarget.AtLsn(lsn, exclusive: true), "A");
        await CheckAsync(lab, RestoreTarget.AtName("after A"), "A");
        await CheckAsync(lab, RestoreTarget.AtXid(ulong.Parse(xid), exclusive: true), "A");
        await CheckAsync(lab, RestoreTarget.AtXid(ulong.Parse(xid)), "A,B");
        await CheckAsync(lab, RestoreTarget.Immediate, "");
        await CheckAsync(lab, RestoreTarget.Latest, "A,B,C");
    }

    [Fact]
    public async Task ATimeIsInclusiveUnlessToldOtherwise()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync(new PostgresClusterOptions { Settings = new Dictionary<string, string> { ["track_commit_timestamp"] = "on" } });
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.InsertAsync("B");
        await lab.InsertAsync("C");
        await lab.ArchiveAsync();
        var commit = new DateTimeOffset(await lab.Cluster.ScalarAsync<DateTime>("SELECT pg_xact_commit_timestamp(xmin) FROM t WHERE v = 'B'"));
        await CheckAsync(lab, RestoreTarget.AtTime(commit), "A,B");
        await CheckAsync(lab, RestoreTarget.AtTime(commit, exclusive: true), "A");
        // The last commit itself can be excluded, but nothing proves an inclusive target at it.
        var last = new DateTimeOffset(await lab.Cluster.ScalarAsync<DateTime>("SELECT pg_xact_commit_timestamp(xmin) FROM t WHERE v = 'C'"));
        await CheckAsync(lab, RestoreTarget.AtTime(last, exclusive: true), "A,B");
        PgBackupException refused = await Assert.ThrowsAsync<PgBackupException>(() => lab.PlanAsync(RestoreTarget.AtTime(last)));
        Assert.Equal("TargetNotReachable", refused.Id);
        Assert.Contains("-Latest", refused.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheNewestBackupThatWasCompleteBeforeTheTargetIsTaken()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        BackupResult first = await lab.BackupAsync();
        DateTimeOffset early = await lab.InsertAsync("A");
        await lab.Cluster.ExecuteAsync("SELECT pg_create_restore_point('same')");
        await lab.InsertAsync("B");
        BackupResult second = await lab.BackupAsync();
        DateTimeOffset late = await lab.InsertAsync("C");
        await lab.Cluster.ExecuteAsync("SELECT pg_create_restore_point('same')");
        await lab.InsertAsync("D");
        await lab.ArchiveAsync();
        Assert.Equal(first.Name, (await lab.PlanAsync(RestoreTarget.AtTime(early))).Name);
        Assert.Equal(second.Name, (await lab.PlanAsync(RestoreTarget.AtTime(late))).Name);
        Assert.Equal(second.Name, (await lab.PlanAsync(RestoreTarget.AtName("same"))).Name);
        await CheckAsync(lab, RestoreTarget.AtName("same"), "A,B,C");
        RestorePlan plan = await lab.PlanAsync(RestoreTarget.AtTime(early));
        Assert.True(plan.ReachedTime <= early && plan.ReachedLsn > plan.ConsistentLsn);
        // Between the two a time lies before the second one's first consistent point.
        PgBackupException tooEarly = await Assert.ThrowsAsync<PgBackupException>(() => lab.PlanAsync(RestoreTarget.AtTime(early.AddHours(-1))));
        Assert.Equal("TargetNotReachable", tooEarly.Id);
        Assert.Contains(first.Name, tooEarly.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PauseAndShutdownStopAtTheEndOfTheLogToo()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        string paused = lab.NewDestination("paused");
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions
        {
            Request = lab.Request(RestoreTarget.Latest, paused) with { TargetAction = RecoveryTargetAction.Pause },
            Start = true,
        });
        Assert.Equal(RestoreStatus.Paused, result.Status);
        Assert.Equal("A", await RestoreLab.RowsAsync(result));
        Assert.Equal("True", await RestoreLab.QueryAsync(result, "SELECT pg_is_wal_replay_paused()"));
        RestoreResult down = await lab.RestoreAsync(new RestoreOptions
        {
            Request = lab.Request(RestoreTarget.Latest, lab.NewDestination("down")) with { TargetAction = RecoveryTargetAction.Shutdown },
            Start = true,
        });
        Assert.Equal(RestoreStatus.ShutDown, down.Status);
        Assert.False(File.Exists(Path.Combine(down.DataDirectory, "postmaster.pid")));
    }

    [Fact]
    public async Task WithoutAStartTheFilesAreReadyForOne()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.Cluster.ExecuteAsync("ALTER SYSTEM SET work_mem = '7MB'");
        await lab.Cluster.ExecuteAsync("ALTER SYSTEM SET recovery_target_name = 'stale'");
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = lab.Request(RestoreTarget.Latest) });
        Assert.Equal(RestoreStatus.Restored, result.Status);
        string settings = await File.ReadAllTextAsync(Path.Combine(result.DataDirectory, "postgresql.auto.conf"));
        Assert.Contains("work_mem = '7MB'", settings, StringComparison.Ordinal);
        Assert.Contains("archive_mode = 'off'", settings, StringComparison.Ordinal);
        Assert.DoesNotContain("stale", settings, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(result.DataDirectory, "recovery.signal")));
        Assert.False(File.Exists(Path.Combine(result.DataDirectory, "pgbackup_restore_in_progress")));
        Assert.Equal((UnixFileMode)0x1c0, File.GetUnixFileMode(result.DataDirectory));
    }

    private static async Task CheckAsync(RestoreLab lab, RestoreTarget target, string rows)
    {
        string destination = lab.NewDestination(Guid.NewGuid().ToString("N")[..8]);
        RestoreResult result = await lab.RestoreAsync(target, destination);
        Assert.Equal(RestoreStatus.Promoted, result.Status);
        Assert.Equal(rows, await RestoreLab.RowsAsync(result));
        Assert.Equal(2u, result.Timeline.Value);
        Assert.Equal("off", await RestoreLab.QueryAsync(result, "SHOW archive_mode"));
        await lab.StopAsync(destination);
        Directory.Delete(destination, recursive: true);
    }
}
