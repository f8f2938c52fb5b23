using PgBackup.Errors;
using PgBackup.Restore.Planning;

namespace PgBackup.Tests.Restore;

public sealed class PlanWalgFixtureTests
{
    private readonly WalgFixture _fixture = WalgFixture.Named("lz4");

    [Fact]
    public async Task TheNewestBackupBeforeTheTargetIsChosen()
    {
        RestorePlan latest = await PlanAsync(RestoreTarget.Latest);
        Assert.Equal(_fixture.Backups[2], latest.Name);
        Assert.Equal(_fixture.Backups, latest.Chain);
        Assert.Equal("000000010000000000000007", latest.LastSegment);
        Assert.DoesNotContain(latest.RecoverySettings.Keys, k => k.StartsWith("recovery_target_lsn", StringComparison.Ordinal));
        RestorePlan time = await PlanAsync(RestoreTarget.AtTime(_fixture.Time));
        Assert.Equal(_fixture.Backups[2], time.Name);
        Assert.True(time.ReachedTime <= _fixture.Time);
        Assert.Equal("1", time.RecoverySettings["recovery_target_timeline"]);
        Assert.EndsWith("+00", time.RecoverySettings["recovery_target_time"], StringComparison.Ordinal);
        RestorePlan name = await PlanAsync(RestoreTarget.AtName("mark"));
        Assert.Equal(_fixture.Backups[2], name.Name);
        RestorePlan earlier = await PlanAsync(RestoreTarget.AtLsn(new Lsn(0x5000100)));
        Assert.Equal(_fixture.Backups[1], earlier.Name);
    }

    [Fact]
    public async Task WhatCannotBeReachedIsRefusedAndTheNearestPointNamed()
    {
        PgBackupException future = await RefusedAsync(RestoreTarget.AtTime(_fixture.Time.AddDays(1)), "TargetNotReachable");
        Assert.Contains("-Latest", future.Hint, StringComparison.Ordinal);
        Assert.Contains("2026-11-22 22:33:", future.Message, StringComparison.Ordinal);
        PgBackupException past = await RefusedAsync(RestoreTarget.AtTime(_fixture.Time.AddHours(-1)), "TargetNotReachable");
        Assert.Contains(_fixture.Backups[0], past.Hint, StringComparison.Ordinal);
        await RefusedAsync(RestoreTarget.AtName("no such"), "TargetNotReachable");
        await RefusedAsync(RestoreTarget.AtXid(4_000_000_000), "TargetNotReachable");
        await RefusedAsync(RestoreTarget.AtLsn(new Lsn(0x9000000)), "TargetNotReachable");
        await RefusedAsync(RestoreTarget.AtLsn(new Lsn(0x2000030)), "TargetNotReachable");
    }

    [Fact]
    public async Task TheWindowsReachFromTheFirstBackupToTheLastTransaction()
    {
        RecoveryWindow window = Assert.Single(await RecoveryWindowFinder.FindAsync(_fixture.Open()));
        Assert.Equal(3, window.BackupCount);
        Assert.Null(window.MissingSegment);
        Assert.True(window.StartTime < _fixture.Time && window.EndTime > _fixture.Time);
    }

    private Task<RestorePlan> PlanAsync(RestoreTarget target) =>
        RestorePlanner.PlanAsync(_fixture.Open(), new RestoreRequest { Target = target, RestoreCommand = "false" });

    private async Task<PgBackupException> RefusedAsync(RestoreTarget target, string id)
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => PlanAsync(target));
        Assert.Equal(id, error.Id);
        return error;
    }
}
