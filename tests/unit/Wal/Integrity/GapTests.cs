using System.Text.RegularExpressions;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Integrity;

namespace PgBackup.Tests.Wal.Integrity;

/// <summary>Segments that are missing, and what is said of them.</summary>
public sealed partial class GapTests(ArchiveLab lab) : IClassFixture<ArchiveLab>
{
    [Fact]
    public async Task AGapIsAFailureUntilItIsAcknowledgedAndAgainWhenThatIsTakenBack()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        ulong gap = await OwnEndAsync(repository) + 1;
        File.Delete(lab.PathOf(repository, gap));
        File.Delete(lab.PathOf(repository, gap + 1));
        ArchiveLab.Age(repository);
        WalArchiveCheck check = await ArchiveLab.CheckAsync(repository);
        Assert.Equal(WalCheckStatus.Failure, check.Status);
        Assert.Contains(lab.History.SegmentFor(gap, lab.Size).ToString(), Assert.Single(check.Reasons), StringComparison.Ordinal);
        Assert.Equal([WalSegmentState.Found, WalSegmentState.Lost, WalSegmentState.Found, WalSegmentState.Found], check.Ranges.Select(r => r.State));
        Assert.Empty(check.UnrestorableBackups);

        WalSegmentRange missing = Assert.Single(await MissingAsync(repository));
        Assert.Equal((2, WalSegmentState.Missing), (missing.Count, missing.State));
        Assert.Equal((lab.Size.StartOf(gap), lab.Size.StartOf(gap + 2)), (missing.StartLsn, missing.EndLsn));
        WalSegmentRange known = await GapRegister.AcknowledgeAsync(repository, missing, " the disk burnt ");
        Assert.Equal(WalSegmentState.Acknowledged, known.State);
        check = await ArchiveLab.CheckAsync(repository, WalCheckLevel.Records);
        Assert.Equal((WalCheckStatus.Ok, 2, 2), (check.Status, check.MissingCount, check.AcknowledgedCount));
        WalSegmentRange shown = Assert.Single(await MissingAsync(repository));
        Assert.Equal((WalSegmentState.Acknowledged, "the disk burnt", known.AcknowledgedBy), (shown.State, shown.Reason, shown.AcknowledgedBy));
        Assert.InRange(shown.AcknowledgedTime!.Value, DateTimeOffset.UtcNow.AddMinutes(-1), DateTimeOffset.UtcNow);
        // wal-g's delete would take such a name for a segment's.
        Assert.All(Directory.GetFiles(Path.Combine(repository.Location, GapRegister.Folder)), f => Assert.DoesNotMatch(Digits(), Path.GetFileName(f)));

        // A further hole beside it is not known.
        File.Delete(lab.PathOf(repository, gap + 2));
        check = await ArchiveLab.CheckAsync(repository);
        Assert.Equal((WalCheckStatus.Failure, 3, 2), (check.Status, check.MissingCount, check.AcknowledgedCount));
        Assert.Equal([WalSegmentState.Acknowledged, WalSegmentState.Missing], (await MissingAsync(repository)).Select(r => r.State));

        Assert.Equal(1, await GapRegister.RevokeAsync(repository, shown));
        Assert.Equal(0, await GapRegister.RevokeAsync(repository, shown));
        check = await ArchiveLab.CheckAsync(repository);
        Assert.Equal((WalCheckStatus.Failure, 3, 0), (check.Status, check.MissingCount, check.AcknowledgedCount));
    }

    [Fact]
    public async Task WhatABackupNeedsForItselfCannotBeAcknowledgedAway()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        ulong own = await OwnEndAsync(repository);
        File.Delete(lab.PathOf(repository, own));
        await GapRegister.AcknowledgeAsync(repository, Assert.Single(await MissingAsync(repository)), "gone");
        WalArchiveCheck check = await ArchiveLab.CheckAsync(repository);
        Assert.Equal((WalCheckStatus.Failure, 1), (check.Status, check.AcknowledgedCount));
        Assert.Equal([lab.Backup], check.UnrestorableBackups);
        Assert.Contains(lab.Backup, Assert.Single(check.Reasons), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABackupWhoseOwnLogIsDamagedCannotBeRestored()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        WalSamples.WriteFile(Path.GetDirectoryName(lab.PathOf(repository, 1))!, Path.GetFileName(lab.PathOf(repository, await OwnEndAsync(repository))), [1, 2, 3]);
        Assert.Equal([lab.Backup], (await ArchiveLab.CheckAsync(repository)).UnrestorableBackups);
        Assert.Equal([lab.Backup], (await ArchiveLab.CheckAsync(repository, WalCheckLevel.Content)).UnrestorableBackups);
    }

    [Fact]
    public async Task EmptyAndShortObjectsAreSeenByTheirNames()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        ArchiveLab.Age(repository);
        ulong number = await OwnEndAsync(repository) + 1;
        foreach (int length in new[] { 0, 4096 })
        {
            File.WriteAllBytes(lab.PathOf(repository, number), new byte[length]);
            WalArchiveCheck check = await ArchiveLab.CheckAsync(repository);
            Assert.Equal(WalCheckStatus.Failure, check.Status);
            Assert.Equal(lab.History.SegmentFor(number, lab.Size).ToString(), Assert.Single(check.Faults).Name);
        }
    }

    [Fact]
    public async Task ZerosAtTheEndOfTheNewestSegmentAreAWarning()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        File.Delete(lab.PathOf(repository, lab.LastOf(repository)));
        ArchiveLab.Age(repository);
        string newest = lab.PathOf(repository, lab.LastOf(repository));
        byte[] content = File.ReadAllBytes(newest);
        Assert.Equal(lab.Size.Bytes, content.Length);
        Assert.Equal(WalCheckStatus.Ok, (await ArchiveLab.CheckAsync(repository, WalCheckLevel.Records)).Status);
        content.AsSpan(content.Length / 2).Clear();
        File.WriteAllBytes(newest, content);
        WalArchiveCheck check = await ArchiveLab.CheckAsync(repository, WalCheckLevel.Records);
        Assert.Equal(WalCheckStatus.Warning, check.Status);
        Assert.False(Assert.Single(check.Faults).IsFailure);
    }

    [Fact]
    public async Task ThePermanentBackupsOwnLogIsLookedInto()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        PlannedPath whole = CheckPlan.Make(await ClusterLog.ReadAllAsync(repository, CancellationToken.None), new WalCheckOptions(), "memory")[0];
        PlannedPath planned = whole with { First = whole.Last, Backups = [whole.Backups[0] with { IsPermanent = true }] };
        Assert.Equal([(whole.First, await OwnEndAsync(repository)), (whole.Last, whole.Last)], planned.Ranges(new WalCheckOptions()));
        Assert.Equal([(whole.Last, whole.Last)], planned.Ranges(new WalCheckOptions { Newest = 5 }));
        Assert.Equal([(whole.First, whole.Last)], whole.Ranges(new WalCheckOptions()));
    }

    [Fact]
    public void BehindAServerThatHasRestedOnlyTheLastTwoMayBeOnTheWay()
    {
        var run = new SegmentRun(TimelineId.First, 11, 20, false, 0, 0);
        Assert.Equal(
            [(11ul, 18ul, WalSegmentState.Lost), (19ul, 20ul, WalSegmentState.Uploading)],
            new GapJudge(20, 10, 0, 16, isFresh: false, []).Judge(run).Select(r => (r.Run.First, r.Run.Last, r.State)));
        Assert.Equal(WalSegmentState.Uploading, Assert.Single(new GapJudge(20, 10, 0, 16, isFresh: true, []).Judge(run)).State);
    }

    /// <summary>Near the end somebody may be storing it, unless what lies behind was stored long ago.</summary>
    [Fact]
    public async Task AFreshGapNearTheEndMayBeOnTheWay()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        string newest = lab.PathOf(repository, lab.LastOf(repository));
        File.Delete(lab.PathOf(repository, lab.LastOf(repository) - 1));
        File.SetLastWriteTimeUtc(newest, DateTime.UtcNow);
        WalArchiveCheck check = await ArchiveLab.CheckAsync(repository);
        Assert.Equal(WalCheckStatus.Warning, check.Status);
        Assert.Contains(check.Ranges, r => r is { State: WalSegmentState.Uploading, Count: 1 });
        File.SetLastWriteTimeUtc(newest, DateTime.UtcNow - GapJudge.UploadTime - TimeSpan.FromMinutes(2));
        Assert.Equal(WalCheckStatus.Failure, (await ArchiveLab.CheckAsync(repository)).Status);
    }

    [Fact]
    public async Task ASegmentThatIsThereTwiceIsPointedOutAndWhatARestoreTakesIsRead()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        ulong number = await OwnEndAsync(repository) + 1;
        string name = Path.GetFileName(lab.PathOf(repository, number));
        WalSamples.WriteFile(Path.Combine(repository.Location, RepositoryLayout.WalFolder), name + ".lz4", [1, 2, 3]);
        Assert.Equal(1, (await WalSegmentLister.ListRangesAsync(repository).ToListAsync()).Sum(r => r.DuplicateCount));
        WalSegment twice = Assert.Single(await WalSegmentLister.ListSegmentsAsync(repository).ToListAsync(), s => s.Objects.Count > 1);
        Assert.Equal([$"wal_005/{name}.lz4", $"wal_005/{name}"], twice.Objects);
        Assert.Equal(name, twice.Name);
        Assert.Equal(WalCheckStatus.Warning, (await ArchiveLab.CheckAsync(repository)).Status);
        Assert.Equal($"wal_005/{name}.lz4", Assert.Single((await ArchiveLab.CheckAsync(repository, WalCheckLevel.Content)).Faults).Key);
    }

    [Fact]
    public async Task HistoriesThatContradictEachOtherOrCannotBeReadAreFailures()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        string third = WalSamples.ObjectPath(repository, "00000003.history");
        string text = File.ReadAllText(third), point = lab.History.Switches[0].SwitchPoint.ToString();
        File.WriteAllText(third, text.Replace(point, (lab.History.Switches[0].SwitchPoint - 16).ToString(), StringComparison.Ordinal));
        WalFault fault = Assert.Single((await ArchiveLab.CheckAsync(repository)).Faults);
        Assert.Equal("00000003.history", fault.Name);
        Assert.Contains("00000002.history", fault.Message, StringComparison.Ordinal);
        File.WriteAllText(third, text);
        File.WriteAllText(WalSamples.ObjectPath(repository, "00000002.history"), "not a history");
        WalArchiveCheck check = await ArchiveLab.CheckAsync(repository);
        Assert.Equal((WalCheckStatus.Failure, "00000002.history"), (check.Status, Assert.Single(check.Faults).Name));
    }

    [Fact]
    public async Task TheNoteOfABackupIsReadButNoRestoreNeedsIt()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        string note = Assert.Single(Directory.GetFiles(Path.Combine(repository.Location, RepositoryLayout.WalFolder), "*.backup"));
        Assert.Equal(0, (await ArchiveLab.CheckAsync(repository, WalCheckLevel.Content)).FaultCount);
        File.WriteAllText(note, "nothing");
        WalArchiveCheck check = await ArchiveLab.CheckAsync(repository, WalCheckLevel.Content);
        Assert.Equal((WalCheckStatus.Warning, Path.GetFileName(note)), (check.Status, Assert.Single(check.Faults).Name));
    }

    [Fact]
    public async Task OnlyTheNewestPartIsReadWhenThatIsAskedFor()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        ArchiveLab.Age(repository);
        ulong last = lab.LastOf(repository);
        File.SetLastWriteTimeUtc(lab.PathOf(repository, last), DateTime.UtcNow);
        foreach (WalCheckLevel level in (WalCheckLevel[])[WalCheckLevel.Content, WalCheckLevel.Records])
        {
            Assert.Equal(3, await ReadAsync(new WalCheckOptions { Level = level, Newest = 3 }));
            Assert.Equal(1, await ReadAsync(new WalCheckOptions { Level = level, Since = DateTimeOffset.UtcNow.AddHours(-1) }));
            Assert.Equal(0, await ReadAsync(new WalCheckOptions { Level = level, Since = DateTimeOffset.UtcNow.AddHours(1) }));
            Assert.True(await ReadAsync(new WalCheckOptions { Level = level, Since = DateTimeOffset.UtcNow.AddHours(-4) }) > 8);
        }

        async Task<long> ReadAsync(WalCheckOptions options)
        {
            WalArchiveCheck check = Assert.Single(await WalArchiveChecker.RunAsync(repository, options).ToListAsync());
            Assert.Equal(WalCheckStatus.Ok, check.Status);
            Assert.True(check.Count > 8);
            return check.ReadCount;
        }
    }

    [Fact]
    public async Task BordersAreTakenAsTheyAreGiven()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        ulong from = lab.SwitchNumber - 1;
        foreach (string text in (string[])[(lab.Size.StartOf(from) + 77).ToString(), lab.History.SegmentFor(from, lab.Size).ToString()])
            Assert.Equal(lab.History.SegmentFor(from, lab.Size), (await FirstAsync(new WalCheckOptions { From = WalPosition.Parse(text) })).First);
        Assert.Equal([1u, 2u, 3u], (await WalSegmentLister.ListRangesAsync(repository).ToListAsync()).Select(r => r.Timeline.Value).Concat([2u]).Distinct().Order());
        WalArchiveCheck named = await FirstAsync(new WalCheckOptions { Backup = lab.Backup });
        Assert.Equal((3u, lab.Backup[5..29]), (named.Timeline.Value, named.First.ToString()));
        WalArchiveCheck first = await FirstAsync(new WalCheckOptions { Timeline = TimelineId.First });
        Assert.Equal((1u, false), (first.Timeline.Value, first.IsCurrent));
        await ThrowsAsync("BackupNotFound", new WalCheckOptions { Backup = "base_000000010000000000000099" });
        await ThrowsAsync("WalTimelineNotFound", new WalCheckOptions { Timeline = new TimelineId(9) });
        await ThrowsAsync("WalRangeInvalid", new WalCheckOptions { From = WalPosition.Parse("FF/0") });
        Assert.Equal("WalPositionInvalid", Assert.Throws<PgBackupException>(() => WalPosition.Parse("00000001")).Id);
        await Assert.ThrowsAsync<PgBackupException>(() => GapRegister.AcknowledgeAsync(repository, named.Ranges[0], "it is there"));

        async Task<WalArchiveCheck> FirstAsync(WalCheckOptions options) => Assert.Single(await WalArchiveChecker.RunAsync(repository, options).ToListAsync());

        async Task ThrowsAsync(string id, WalCheckOptions options) => Assert.Equal(id, (await Assert.ThrowsAsync<PgBackupException>(() => FirstAsync(options))).Id);
    }

    [Fact]
    public void TheEnvironmentOfWalGHolds()
    {
        WalCheckOptions said = WalCheckOptions.FromEnvironment(name => name == "WALG_UPLOAD_CONCURRENCY" ? "4" : "7");
        Assert.Equal((7, 4), (said.MaxDelayed, said.UploadWindow));
        WalCheckOptions silent = WalCheckOptions.FromEnvironment(_ => null);
        Assert.Equal((0, 16), (silent.MaxDelayed, silent.UploadWindow));
        Assert.Equal("SettingInvalid", Assert.Throws<PgBackupException>(() => WalCheckOptions.FromEnvironment(_ => "many")).Id);
    }

    private async Task<ulong> OwnEndAsync(BackupRepository repository) =>
        lab.Size.SegmentNumberOf((await BackupCatalog.ListAsync(repository)).Single().FinishLsn!.Value - 1);

    private static async Task<List<WalSegmentRange>> MissingAsync(BackupRepository repository) =>
        (await WalSegmentLister.ListRangesAsync(repository).ToListAsync()).FindAll(r => r.IsGap);

    [GeneratedRegex("[0-9A-F]{24}")]
    private static partial Regex Digits();
}
