using PgBackup.Backup;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Backup;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Versions;

/// <summary>Backups that a standby gives, of a cluster whose primary archives.</summary>
public sealed class StandbyBackupTests
{
    private const string Rows = "SELECT md5(string_agg(a::text, ',' ORDER BY id)) FROM account a";
    private const string Copying = "Copying the data directory";

    /// <summary>While the primary is written to, a backup of the standby is taken; what is restored from it is what the primary holds.</summary>
    [Theory]
    [InlineData(13)]
    [InlineData(15)]
    [InlineData(17)]
    [InlineData(18)]
    public async Task WhatIsTakenFromAStandbyIsTheCluster(int major)
    {
        await using ReplicatedLab lab = await ReplicatedLab.StartAsync(major);
        using var stop = new CancellationTokenSource();
        Task writing = WriteAsync(lab.Primary, stop.Token);
        await lab.CheckpointAsync();
        BackupResult backup = await lab.BackUpAsync(phase: Copying, onPhase: async () =>
        {
            // Pages are written out by a restartpoint in the middle of the copy: the least point that recovery must reach moves on.
            await lab.CheckpointAsync();
            await lab.Standby.ExecuteAsync("CHECKPOINT");
        });
        await stop.CancelAsync();
        await writing;

        WalSegmentName named = WalSegmentName.Containing(backup.Timeline, backup.StartLsn - 1, new WalSegmentSize(16 << 20));
        Assert.Equal($"base_{named}", backup.Name);
        Assert.True(backup.FinishLsn > backup.StartLsn);
        await new WalGBackupChecker(lab.Lab.RepositoryPath, backup.Name).CheckAsync();
        BackupSentinel sentinel = (await BackupCatalog.ListAsync(lab.Lab.Repository)).Single().Sentinel!;
        Assert.Null(sentinel.PgBackup!.ConsistentTime);
        await lab.AssertNothingLeftAsync(backups: 1);

        // Checkpoints are timed in whole seconds: within one of the last the plan would not swear to a time.
        await Task.Delay(1100);
        await lab.Lab.InsertAsync("after");
        DateTimeOffset time = await lab.Lab.InsertAsync("time");
        string content = await lab.Primary.ScalarAsync<string>(Rows);
        await lab.Primary.ExecuteAsync("SELECT pg_create_restore_point('here')");
        await lab.Lab.InsertAsync("more");
        await lab.Lab.ArchiveAsync();
        Assert.Equal((content, "after,more,time"), await RestoredAsync(lab, RestoreTarget.Latest));
        Assert.Equal((content, "after,time"), await RestoredAsync(lab, RestoreTarget.AtName("here")));
        Assert.Equal((content, "after,time"), await RestoredAsync(lab, RestoreTarget.AtTime(time)));
        // The first point that the backup is consistent at is reached from its own WAL.
        (_, string early) = await RestoredAsync(lab, RestoreTarget.Immediate);
        Assert.Equal("", early);
    }

    /// <summary>A full backup of the primary, a delta on it from the standby: pages found by reading them, and by the standby's own WAL summaries.</summary>
    [Theory]
    [InlineData(15)]
    [InlineData(17)]
    public async Task ADeltaFromAStandbyRestsOnABackupOfThePrimary(int major)
    {
        await using ReplicatedLab lab = await ReplicatedLab.StartAsync(major);
        // So that nothing but what follows changes its pages.
        await lab.Primary.ExecuteAsync("VACUUM (FREEZE) account");
        // The standby's databases are older than the parent by more than the grain of clocks: made anew since, they would be stored whole.
        await Task.Delay(TimeSpan.FromSeconds(3));
        BackupResult full = await lab.Lab.BackupAsync();
        await lab.Primary.ExecuteAsync("UPDATE account SET balance = -1 WHERE id % 400 = 0; DELETE FROM account WHERE id BETWEEN 500 AND 700");
        await lab.CheckpointAsync();
        BackupResult delta = await lab.BackUpAsync(lab.Options with { Type = BackupTypeRequest.Delta });
        Assert.Equal((BackupType.Delta, full.Name), (delta.Type, delta.Parent));
        Assert.True(delta.IncrementCount > 0);
        await lab.Lab.InsertAsync("after");
        string content = await lab.Primary.ScalarAsync<string>(Rows);
        await lab.Lab.ArchiveAsync();
        Assert.Equal((content, "after"), await RestoredAsync(lab, RestoreTarget.Latest));
    }

    /// <summary>A standby's backup begins at its last restartpoint: here that is the checkpoint that the primary's backup began with.</summary>
    [Fact]
    public async Task ARestartpointBeforeTheParentsEndIsNoStartOfADelta()
    {
        await using ReplicatedLab lab = await ReplicatedLab.StartAsync(15);
        await lab.Lab.BackupAsync();
        await lab.CatchUpAsync();
        PgBackupException delta = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync(lab.Options with { Type = BackupTypeRequest.Delta }));
        Assert.Equal("ParentNotUsable", delta.Id);
        Assert.Contains("CHECKPOINT on the primary", delta.Message, StringComparison.Ordinal);
        // Auto goes on with a full one, which has the name of the primary's: they begin at the same place.
        PgBackupException full = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync(lab.Options with { Type = BackupTypeRequest.Auto, DeltaMaxSteps = 5 }));
        Assert.Equal("BackupNameTaken", full.Id);
        await lab.AssertNothingLeftAsync(backups: 1);
    }

    [Theory]
    [InlineData(15)]
    [InlineData(17)]
    public async Task ABackupWithoutFullPagesIsRefused(int major)
    {
        await using ReplicatedLab lab = await ReplicatedLab.StartAsync(major);
        await FullPagesAsync(lab, "off");
        await lab.Lab.InsertAsync("A");
        await lab.CheckpointAsync();
        PgBackupException before = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync());
        Assert.Equal("FullPageWritesOff", before.Id);
        Assert.Contains("CHECKPOINT", before.Hint, StringComparison.Ordinal);
        await lab.AssertNothingLeftAsync();

        await FullPagesAsync(lab, "on");
        await lab.CheckpointAsync();
        PgBackupException during = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync(phase: Copying, onPhase: async () =>
        {
            await FullPagesAsync(lab, "off");
            await lab.Lab.InsertAsync("B");
            await lab.CatchUpAsync();
        }));
        Assert.Equal("FullPageWritesOff", during.Id);
        await lab.AssertNothingLeftAsync();

        await FullPagesAsync(lab, "on");
        await lab.CheckpointAsync();
        await lab.BackUpAsync();
        await lab.AssertNothingLeftAsync(backups: 1);
    }

    [Theory]
    [InlineData(14)]
    [InlineData(17)]
    public async Task APromotionDuringTheBackupIsNoticed(int major)
    {
        await using ReplicatedLab lab = await ReplicatedLab.StartAsync(major);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync(
            phase: Copying, onPhase: async () => Assert.True(await lab.Standby.ScalarAsync<bool>("SELECT pg_promote()"))));
        Assert.True(error.Id is "StandbyPromoted" or "TimelineChanged", error.Id);
        await lab.AssertNothingLeftAsync();
        // It is a primary now, with an archive: the next one is as any other.
        BackupResult next = await lab.Lab.BackupAsync(lab.Standby.ConnectionString);
        Assert.Equal(2u, next.Timeline.Value);
    }

    /// <summary>The server that a standby streams from is promoted: the standby follows it to the new timeline, in the middle of its backup.</summary>
    [Theory]
    [InlineData(15)]
    public async Task AStandbyThatGoesOnToAnotherTimelineGivesNoBackup(int major)
    {
        await using ReplicatedLab lab = await ReplicatedLab.StartAsync(major);
        await using PostgresCluster second = await lab.Primary.RunStandbyAsync(new Dictionary<string, string>
        {
            ["primary_conninfo"] = $"host=127.0.0.1 port={lab.Standby.Port} user=postgres",
        });
        BackupOptions options = lab.Options with { Server = new() { ConnectionString = second.ConnectionString } };
        PgBackupException during = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync(options, Copying, async () =>
        {
            await lab.Standby.ScalarAsync<bool>("SELECT pg_promote()");
            await lab.Standby.ExecuteAsync("INSERT INTO t VALUES ('on the new timeline')");
            await second.WaitForReplayAsync(await lab.Standby.WalEndAsync());
            // Pages of the new timeline are on the disk, and the control file knows it.
            await lab.Standby.ExecuteAsync("CHECKPOINT");
            await second.WaitForReplayAsync(await lab.Standby.WalEndAsync());
            await second.ExecuteAsync("CHECKPOINT");
        }));
        Assert.Equal("TimelineChanged", during.Id);
        await lab.AssertNothingLeftAsync();

        BackupResult next = await lab.BackUpAsync(options, "Waiting for WAL segment", () => lab.Standby.ExecuteAsync("SELECT pg_switch_wal()"), switches: false);
        Assert.Equal(2u, next.Timeline.Value);
    }

    /// <summary>A standby's backup begins at its last restartpoint: without a new one the second would have the first one's name.</summary>
    [Fact]
    public async Task TwoBackupsInOneSegmentAreToldApart()
    {
        await using ReplicatedLab lab = await ReplicatedLab.StartAsync(15);
        BackupResult first = await lab.BackUpAsync();
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync());
        Assert.Equal("BackupNameTaken", error.Id);
        Assert.Contains("pg_switch_wal", error.Hint, StringComparison.Ordinal);
        await lab.AssertNothingLeftAsync(backups: 1);
        // As the hint says.
        await lab.Primary.ExecuteAsync("SELECT pg_switch_wal()");
        await lab.CheckpointAsync();
        BackupResult second = await lab.BackUpAsync();
        Assert.NotEqual(first.Name, second.Name);
        await lab.AssertNothingLeftAsync(backups: 2);
    }

    [Fact]
    public async Task TheWaitForTheLastSegmentEndsAndSaysHow()
    {
        await using ReplicatedLab lab = await ReplicatedLab.StartAsync(17);
        // What recovery must reach lies in a segment that nothing will fill.
        await lab.Lab.InsertAsync("A");
        await lab.CheckpointAsync();
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.BackUpAsync(lab.Options with { ArchiveTimeout = TimeSpan.FromSeconds(12) }, switches: false));
        Assert.Equal("WalNotArchived", error.Id);
        Assert.Contains("SELECT pg_switch_wal() on the primary", error.Message, StringComparison.Ordinal);
        Assert.Contains(lab.Log.Of(LogLevel.Warning), w => w.Contains("SELECT pg_switch_wal() on the primary", StringComparison.Ordinal));
        await lab.AssertNothingLeftAsync();
    }

    private static async Task FullPagesAsync(ReplicatedLab lab, string value)
    {
        await lab.Primary.ExecuteAsync($"ALTER SYSTEM SET full_page_writes = {value}");
        await lab.Primary.ExecuteAsync("SELECT pg_reload_conf()");
        // The checkpointer is who writes it down.
        await lab.Primary.ExecuteAsync("CHECKPOINT");
        await lab.CatchUpAsync();
    }

    private static async Task WriteAsync(PostgresCluster primary, CancellationToken cancellationToken)
    {
        for (int round = 1; !cancellationToken.IsCancellationRequested; round++)
        {
            await primary.ExecuteAsync($"UPDATE account SET balance = balance + 1 WHERE id % 50 = {round % 50}");
            await primary.ExecuteAsync($"INSERT INTO account SELECT {20_000 + (round * 100)} + g, g, 'new' FROM generate_series(1, 100) g");
        }
    }

    private static async Task<(string Content, string Rows)> RestoredAsync(ReplicatedLab lab, RestoreTarget target)
    {
        string destination = lab.Lab.NewDestination(Guid.NewGuid().ToString("N")[..8]);
        RestoreResult result = await lab.Lab.RestoreAsync(target, destination);
        string content = await RestoreLab.QueryAsync(result, Rows);
        string rows = await RestoreLab.RowsAsync(result);
        await lab.Lab.StopAsync(destination);
        return (content, rows);
    }
}
