using PgBackup.Backup;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Repository.Pieces;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Postgres;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Integrity;

namespace PgBackup.Tests.Wal.Receiving;

/// <summary>What the check of the archive says of segments that a receiver has stored in pieces.</summary>
public sealed class PiecesArchiveTests
{
    private static readonly WalSegmentSize s_size = new(1 << 20);

    [Fact]
    public async Task PiecesAloneAreALog()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        await ReceiveAsync(lab, () => lab.WriteAsync(rows: 50));
        await lab.Repository.Store.DeleteAsync(await lab.Repository.Store.ListAsync(RepositoryLayout.WalFolder, recursive: false).Select(o => o.Key).ToListAsync());
        WalSegmentName segment = (await lab.PiecesAsync())[0].Segment;

        foreach (WalCheckLevel level in Enum.GetValues<WalCheckLevel>())
        {
            WalArchiveCheck check = await CheckAsync(lab, level);
            Assert.StartsWith("No backup", Assert.Single(check.Reasons), StringComparison.Ordinal);
            WalSegmentRange range = Assert.Single(check.Ranges);
            Assert.Equal((WalSegmentState.InPieces, segment, 1L), (range.State, range.First, check.Count));
            Assert.Equal((0L, false, level == WalCheckLevel.Names ? 0L : 1L), (check.MissingCount, range.IsGap, check.ReadCount));
            Assert.True(range.EndLsn > range.StartLsn && range.EndLsn < range.StartLsn + (ulong)s_size.Bytes, range.ToString());
            Assert.Equal($"{segment} up to {range.EndLsn}", range.ToString());
        }
        WalSegmentRange listed = Assert.Single(await WalSegmentLister.ListRangesAsync(lab.Repository).ToListAsync());
        Assert.Equal((WalSegmentState.InPieces, segment), (listed.State, listed.First));
        Assert.True(listed.StoredSize.Bytes > 0);
    }

    [Fact]
    public async Task WhatIsHeldInPiecesIsNotLost()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        await ReceiveAsync(lab, async () =>
        {
            await lab.BackupAsync();
            await lab.WriteAsync(rows: 50);
        });
        ServerPosition before = await PositionAsync(lab.Cluster);
        WalArchiveCheck well = await CheckAsync(lab, server: before);
        Assert.Equal((WalCheckStatus.Ok, ""), (well.Status, string.Join('\n', well.Reasons)));
        Assert.Equal(WalSegmentState.InPieces, well.Ranges[^1].State);
        WalSegmentName held = well.Ranges[^1].First;
        Assert.Equal(held, WalSegmentName.Containing(TimelineId.First, before.Lsn, s_size));

        await SwitchAsync(lab.Cluster, 1);
        WalArchiveCheck behind = await CheckAsync(lab, server: await PositionAsync(lab.Cluster));
        Assert.Equal((WalCheckStatus.Warning, 0), (behind.Status, behind.MissingCount));
        Assert.Contains($"{held} is there in pieces up to {well.Ranges[^1].EndLsn}, and the server has finished it", Assert.Single(behind.Reasons), StringComparison.Ordinal);

        await SwitchAsync(lab.Cluster, 18);
        WalArchiveCheck lost = await CheckAsync(lab, server: await PositionAsync(lab.Cluster));
        Assert.Equal([WalSegmentState.Found, WalSegmentState.InPieces, WalSegmentState.Lost, WalSegmentState.Uploading], lost.Ranges.Select(r => r.State));
        Assert.Equal((held.NextFor(s_size), 2, 18, WalCheckStatus.Failure), (lost.Ranges[2].First, lost.Ranges[2].Count, lost.MissingCount, lost.Status));
    }

    [Fact]
    public async Task ATimelineInPiecesIsMoreThanItsHistory()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        await ReceiveAsync(lab, async () =>
        {
            await lab.BackupAsync();
            await lab.WriteAsync(rows: 50);
            await lab.CaughtUpAsync();
            // Without a clean stop the log goes on in the same segment.
            await lab.Cluster.StopAsync(StopMode.Immediate);
            await WalLoad.PromoteAsync(lab.Cluster);
            await lab.WriteAsync(rows: 20);
        });
        Assert.Empty(Directory.GetFiles(Path.Combine(lab.RepositoryPath, "wal_005"), "0000000200000000*"));

        foreach (WalCheckLevel level in Enum.GetValues<WalCheckLevel>())
        {
            WalArchiveCheck check = await CheckAsync(lab, level);
            Assert.Equal((2u, true, WalCheckStatus.Ok, ""), (check.Timeline.Value, check.IsCurrent, check.Status, string.Join('\n', check.Reasons)));
            Assert.Equal([WalSegmentState.Found, WalSegmentState.InPieces], check.Ranges.Select(r => r.State));
            Assert.Equal(2u, check.Last.Timeline.Value);
            Assert.Single(check.Backups);
        }
        List<WalSegmentRange> listed = await WalSegmentLister.ListRangesAsync(lab.Repository).ToListAsync();
        // Of the timeline that was left there are pieces of the same segment, up to the switch.
        Assert.Equal(["1 Found", "1 InPieces", "2 InPieces"], listed.Select(r => $"{r.Timeline} {r.State}"));
        Assert.Equal(listed[1].StartLsn, listed[2].StartLsn);
        Assert.True(listed[1].EndLsn < listed[2].EndLsn);
    }

    [Fact]
    public async Task WhatIsWrongWithPiecesIsNamedByTheirFolder()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        await ReceiveAsync(lab, async () =>
        {
            await lab.BackupAsync();
            await SwitchAsync(lab.Cluster, 1);
            await lab.WriteAsync(rows: 2000);
        });
        WalPiece last = (await lab.PiecesAsync()).OrderByDescending(p => p.Segment).ThenByDescending(p => p.End).First();
        Assert.True(last.End > 200_000, $"The pieces end at {last.End}.");
        string folder = WalPiece.FolderOf(last.SystemIdentifier, last.Segment), path = Path.Combine(lab.RepositoryPath, last.Object.Key);
        Assert.Equal(WalCheckStatus.Ok, (await CheckAsync(lab, WalCheckLevel.Records)).Status);

        byte[] good = File.ReadAllBytes(path);
        File.WriteAllBytes(path, good.AsSpan(0, good.Length - 5).ToArray());
        Assert.Equal(WalCheckStatus.Ok, (await CheckAsync(lab)).Status);
        foreach (WalCheckLevel level in (WalCheckLevel[])[WalCheckLevel.Content, WalCheckLevel.Records])
        {
            WalArchiveCheck cut = await CheckAsync(lab, level);
            WalFault fault = Assert.Single(cut.Faults);
            Assert.Equal((WalCheckStatus.Failure, folder, true), (cut.Status, fault.Key, fault.IsFailure));
            Assert.Contains("Receive-PgWal", fault.Recommendation, StringComparison.Ordinal);
        }
        File.WriteAllBytes(path, good);

        // Wrong before it was received: its checksum is right.
        using FileStream content = NamelessFile.Open();
        await WalPieceReader.AssembleAsync(lab.Repository, last.SystemIdentifier, last.Segment, content.SafeFileHandle, OperationLog.None, CancellationToken.None);
        byte[] one = new byte[1];
        RandomAccess.Read(content.SafeFileHandle, one, 100_000);
        one[0] ^= 0x55;
        RandomAccess.Write(content.SafeFileHandle, one, 100_000);
        await ReplaceAsync(lab, last, content, 0, last.End);
        Assert.Equal(WalCheckStatus.Ok, (await CheckAsync(lab, WalCheckLevel.Content)).Status);
        WalFault damaged = Assert.Single((await CheckAsync(lab, WalCheckLevel.Records)).Faults);
        Assert.Equal(folder, damaged.Key);
        Assert.InRange(damaged.Lsn!.Value.Value, last.Segment.StartFor(s_size).Value + 90_000, last.Segment.StartFor(s_size).Value + 100_000);

        await ReplaceAsync(lab, last, content, 8192, last.End);
        WalArchiveCheck gap = await CheckAsync(lab);
        Assert.Equal((WalCheckStatus.Warning, folder), (gap.Status, Assert.Single(gap.Faults).Key));
        Assert.Equal((WalCheckStatus.Failure, 1L), (await CheckAsync(lab, WalCheckLevel.Content) is var read ? read.Status : default, read.FaultCount));
    }

    [Fact]
    public async Task PiecesUpToABackupsEndAreEnoughForIt()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        await ReceiveAsync(lab, () => lab.BackupAsync());
        ClusterBackup backup = Assert.Single(await BackupCatalog.ListAsync(lab.Repository, CancellationToken.None));
        Lsn finish = backup.FinishLsn!.Value;
        WalSegmentName segment = WalSegmentName.Containing(TimelineId.First, finish - 1, s_size);
        await WalFetch.FetchAsync(lab.Repository, segment.ToString(), lab.Folder.Combine("last"));
        using FileStream content = File.OpenRead(lab.Folder.Combine("last"));
        var all = new WalPiece(backup.SystemIdentifier!.Value, segment, 0, s_size.Bytes, default!);
        foreach (string whole in Directory.GetFiles(Path.Combine(lab.RepositoryPath, "wal_005")).Where(f => string.CompareOrdinal(Path.GetFileName(f)[..24], segment.ToString()) >= 0))
            File.Delete(whole);
        await WalPieces.DeleteAsync(lab.Repository, await lab.PiecesAsync(), CancellationToken.None);
        Assert.Equal([backup.Name], (await CheckAsync(lab)).UnrestorableBackups);

        int needed = (int)(finish - segment.StartFor(s_size));
        await ReplaceAsync(lab, all, content, 0, needed);
        foreach (WalCheckLevel level in Enum.GetValues<WalCheckLevel>())
        {
            WalArchiveCheck enough = await CheckAsync(lab, level);
            Assert.Equal((WalCheckStatus.Ok, ""), (enough.Status, string.Join('\n', enough.Reasons)));
            Assert.Equal(finish, enough.Ranges[^1].EndLsn);
        }
        RestorePlan plan = await PlanAsync(lab);
        Assert.Equal((backup.Name, segment.ToString(), finish), (plan.Name, plan.LastSegment, plan.ReachedLsn));

        await ReplaceAsync(lab, all, content, 0, needed - 8);
        WalArchiveCheck cut = await CheckAsync(lab);
        Assert.Equal(WalCheckStatus.Failure, cut.Status);
        Assert.Equal([backup.Name], cut.UnrestorableBackups);
        Assert.Contains($"is there in pieces only, up to {finish - 8}", cut.Reasons[0], StringComparison.Ordinal);
        Assert.Equal("WalGapDetected", (await Assert.ThrowsAsync<PgBackupException>(() => PlanAsync(lab))).Id);
    }

    internal static Task<RestorePlan> PlanAsync(ReceiveLab lab) =>
        RestorePlanner.PlanAsync(lab.Repository, new RestoreRequest { Target = RestoreTarget.Latest, RestoreCommand = "false" });

    /// <summary>Receives from before something is done until it is durable.</summary>
    internal static async Task ReceiveAsync(ReceiveLab lab, Func<Task> work)
    {
        await using RunningReceiver receiver = lab.Receive();
        await receiver.SaidAsync("Receiving timeline");
        await work();
        await lab.CaughtUpAsync();
        await receiver.StopAsync();
    }

    private static async Task ReplaceAsync(ReceiveLab lab, WalPiece piece, FileStream content, int start, int end)
    {
        await WalPieces.DeleteAsync(lab.Repository, await WalPieces.ListAsync(lab.Repository, piece.SystemIdentifier, piece.Segment, CancellationToken.None), CancellationToken.None);
        await WalPieces.PutAsync(lab.Repository, piece.SystemIdentifier, piece.Segment, s_size, content.SafeFileHandle, start, end, CancellationToken.None);
    }

    private static async Task SwitchAsync(PostgresCluster cluster, int times)
    {
        for (int i = 0; i < times; i++)
            await cluster.ExecuteAsync("SELECT pg_logical_emit_message(true, 'test', repeat('x', 1000)); SELECT pg_switch_wal()");
    }

    private static async Task<WalArchiveCheck> CheckAsync(ReceiveLab lab, WalCheckLevel level = WalCheckLevel.Names, ServerPosition? server = null) =>
        Assert.Single(await WalArchiveChecker.RunAsync(lab.Repository, new WalCheckOptions { Level = level, Server = server, ThrottleLimit = 2 }).ToListAsync());

    private static async Task<ServerPosition> PositionAsync(PostgresCluster cluster)
    {
        await using ServerSession session = await ServerSession.OpenMaintenanceAsync(ReceiveLab.SettingsFor(cluster.ConnectionString));
        return await ServerPositionReader.ReadAsync(session);
    }
}
