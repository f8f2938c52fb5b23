using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>One repository that holds two clusters, one after the other: their timelines have the same numbers, and nothing else in common.</summary>
public sealed class LineageTests
{
    /// <summary>
    /// As pg_upgrade leaves it: timeline 1 again, the log going on with the segment behind the old one's. The new cluster is then promoted, so that the only history file is its own.
    /// </summary>
    [Fact]
    public async Task WhatWasBeforeAnUpgradeAndWhatIsAfterItAreKeptApart()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync(Of(14));
        BackupResult before = await lab.BackupAsync();
        DateTimeOffset old = await lab.InsertAsync("old");
        await lab.InsertAsync("old2");
        await lab.ArchiveAsync();
        await lab.Cluster.StopAsync();

        await using PostgresCluster upgraded = await lab.RunClusterAsync(Of(15), LastArchived(lab).NextFor(new WalSegmentSize(16 << 20)));
        BackupResult after = await lab.BackupAsync(upgraded.ConnectionString, newLineage: true);
        Assert.NotEqual(before.SystemIdentifier, after.SystemIdentifier);
        await upgraded.ExecuteAsync("INSERT INTO t VALUES ('new')");
        await upgraded.ExecuteAsync("SELECT pg_switch_wal()");
        await upgraded.StopAsync();
        RestoreResult promoted = await lab.RestoreAsync(new RestoreOptions
        {
            Request = lab.Request(RestoreTarget.Latest, lab.NewDestination("promoted")) with { KeepArchiving = true },
            Start = true,
        });
        Assert.Equal(2u, promoted.Timeline.Value);
        await RestoreLab.QueryAsync(promoted, "INSERT INTO t VALUES ('promoted')");
        await lab.ArchiveAsync(promoted);
        await lab.StopAsync(promoted.DataDirectory);

        RestorePlan latest = await PlanAsync(lab, null, null);
        Assert.Equal((after.Name, 2u), (latest.Name, latest.Timeline.Value));
        Assert.Equal(after.Name, (await PlanAsync(lab, "LATEST", null)).Name);
        RestorePlan past = await PlanAsync(lab, before.Name, null);
        Assert.Equal((before.Name, 1u), (past.Name, past.Timeline.Value));
        await RefusedAsync(lab, before.Name, 2);
        await WindowsAsync(lab, (before.SystemIdentifier, 1), (after.SystemIdentifier, 1), (after.SystemIdentifier, 2));

        // Nobody gets the old cluster without asking for it, and whoever asks for its time is told how.
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.PlanAsync(RestoreTarget.AtTime(old)));
        Assert.Equal("TargetNotReachable", error.Id);
        Assert.Contains($"-Name {before.Name}", error.Hint, StringComparison.Ordinal);

        await CheckAsync(lab, null, RestoreTarget.Latest, "new,promoted");
        await CheckAsync(lab, before.Name, RestoreTarget.Latest, "old,old2");
        await CheckAsync(lab, before.Name, RestoreTarget.AtTime(old), "old");
    }

    /// <summary>Of a cluster that is gone one file was forgotten; the one that came after it has the same timeline, and must not end where the old one was promoted.</summary>
    [Fact]
    public async Task AHistoryFileThatADeadClusterLeftEndsNoLog()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        Lsn left = await lab.LsnAsync();
        await lab.InsertAsync("B");
        await lab.ArchiveAsync();
        await lab.InsertAsync("C");
        await lab.ArchiveAsync();
        await File.WriteAllTextAsync(Path.Combine(lab.WalFolder, "00000002.history"), $"1\t{left}\tno recovery target specified\n");
        RestorePlan plan = await lab.PlanAsync(RestoreTarget.Latest);
        Assert.Equal(1u, plan.Timeline.Value);
        Assert.Contains("-Timeline 2", Assert.Single(plan.Warnings), StringComparison.Ordinal);
        Assert.Equal("A,B,C", await RestoreLab.RowsAsync(await lab.RestoreAsync(RestoreTarget.Latest)));
        // Who insists is led along the timeline that was asked for, whatever is left of it.
        PgBackupException forced = await Assert.ThrowsAsync<PgBackupException>(() => PlanAsync(lab, null, 2));
        Assert.Equal("WalGapDetected", forced.Id);
        Assert.Contains("segment 00000002", forced.Message, StringComparison.Ordinal);
    }

    /// <summary>The new cluster begins below the old one, whose first segments are gone; the old one has been promoted, so that the only history file is the old one's.</summary>
    [Fact]
    public async Task AClusterThatBeginsAnewIsNotLedAlongTheOldOnesTimelines()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync(Of(15), WalSegmentName.Parse("000000010000000000000010"));
        BackupResult before = await lab.BackupAsync();
        await lab.InsertAsync("old");
        await lab.ArchiveAsync();
        await lab.Cluster.StopAsync();
        RestoreResult promoted = await lab.RestoreAsync(new RestoreOptions
        {
            Request = lab.Request(RestoreTarget.Latest, lab.NewDestination("promoted")) with { KeepArchiving = true },
            Start = true,
        });
        Assert.Equal(2u, promoted.Timeline.Value);
        await RestoreLab.QueryAsync(promoted, "INSERT INTO t VALUES ('promoted')");
        await lab.ArchiveAsync(promoted);
        await lab.StopAsync(promoted.DataDirectory);

        await using PostgresCluster anew = await lab.RunClusterAsync(Of(16));
        BackupResult after = await lab.BackupAsync(anew.ConnectionString, newLineage: true);
        await anew.ExecuteAsync("INSERT INTO t VALUES ('new')");
        string segment = await anew.ScalarAsync<string>(RestoreLab.SwitchOf(anew));
        await lab.WaitForArchiveAsync(segment);
        await anew.StopAsync();

        RestorePlan latest = await PlanAsync(lab, null, null);
        Assert.Equal((after.Name, 1u), (latest.Name, latest.Timeline.Value));
        await RefusedAsync(lab, null, 2);
        await RefusedAsync(lab, after.Name, 2);
        RestorePlan past = await PlanAsync(lab, before.Name, null);
        Assert.Equal((before.Name, 2u), (past.Name, past.Timeline.Value));
        await WindowsAsync(lab, (before.SystemIdentifier, 1), (before.SystemIdentifier, 2), (after.SystemIdentifier, 1));

        await CheckAsync(lab, null, RestoreTarget.Latest, "new");
        await CheckAsync(lab, before.Name, RestoreTarget.Latest, "old,promoted");
    }

    private static PostgresClusterOptions Of(int major) => new() { Tools = PostgresTools.OfMajor(major) };

    private static WalSegmentName LastArchived(RestoreLab lab) =>
        WalSegmentName.Parse(Directory.GetFiles(lab.WalFolder).Select(f => Path.GetFileName(f)).Where(f => f.Length == 24).Order(StringComparer.Ordinal).Last());

    private static Task<RestorePlan> PlanAsync(RestoreLab lab, string? name, uint? timeline) => RestorePlanner.PlanAsync(
        lab.Repository, lab.Request(RestoreTarget.Latest) with { DataDirectory = null, Name = name, Timeline = timeline is { } number ? new TimelineId(number) : null });

    private static async Task RefusedAsync(RestoreLab lab, string? name, uint timeline)
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => PlanAsync(lab, name, timeline));
        Assert.Equal("TargetNotReachable", error.Id);
    }

    private static async Task WindowsAsync(RestoreLab lab, params (ulong, uint)[] expected)
    {
        IReadOnlyList<RecoveryWindow> windows = await RecoveryWindowFinder.FindAsync(lab.Repository);
        Assert.Equal(expected, windows.Select(w => (w.SystemIdentifier!.Value, w.Timeline.Value)));
        Assert.All(windows, w => Assert.Null(w.MissingSegment));
    }

    private static async Task CheckAsync(RestoreLab lab, string? name, RestoreTarget target, string rows)
    {
        string destination = lab.NewDestination(Guid.NewGuid().ToString("N")[..8]);
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = lab.Request(target, destination) with { Name = name }, Start = true });
        Assert.Equal(rows, await RestoreLab.RowsAsync(result));
        await lab.StopAsync(destination);
    }
}
