using PgBackup.Postgres.Files;
using PgBackup.Postgres.WalRecords;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Postgres;

public sealed class WalRecordReaderTests
{
    [Theory]
    [InlineData(1, 5_000_000)]
    [InlineData(16, 300_000)]
    [InlineData(64, 300_000)]
    public async Task Agrees_with_pg_waldump(int segmentMegabytes, int messageBytes)
    {
        await using PostgresCluster cluster = await WalLoad.RunAsync(segmentMegabytes);
        await WalLoad.WriteAsync(cluster, messageBytes);
        await cluster.ExecuteAsync("ALTER SYSTEM SET max_connections = 31");
        await cluster.RestartAsync();
        await cluster.StopAsync();
        ControlFile control = await ControlFile.ReadAsync(cluster.DataDirectory, CancellationToken.None);
        string folder = WalLoad.WalFolder(cluster);
        WalReadOptions options = new()
        {
            SegmentSize = control.WalSegmentSize,
            History = TimelineHistory.WithoutAncestors(TimelineId.First),
            Start = WalLoad.FirstLsn(folder, control.WalSegmentSize),
            Kinds = WalRecordKinds.All,
            SystemIdentifier = control.SystemIdentifier,
        };

        (List<WalRecord> records, WalEnd end) = await WalLoad.ReadAllAsync(new WalFolderSource(folder), options);

        List<DumpedRecord> dumped = await WalDump.ReadAsync(cluster.Tools, folder, TimelineId.First, options.Start, end.Position);
        WalLoad.AssertSame(dumped, records);
        Assert.True(dumped.Count > 5000);
        Assert.Equal(WalRecordKinds.All & ~(WalRecordKinds.EndOfRecovery | WalRecordKinds.OverwrittenRecord | WalRecordKinds.TablespaceCreation), records.Aggregate(WalRecordKinds.None, (k, r) => k | r.Kind));
        Assert.Contains(records, r => r.TotalLength > messageBytes);
        // The last record of a clean shutdown is its checkpoint.
        Assert.True(end.IsClean, WalLoad.Text(end));
        Assert.Equal(control.CheckpointLsn, records[^1].Start);
        WalCheckpoint checkpoint = Assert.IsType<WalCheckpoint>(WalEvent.Decode(records[^1]));
        Assert.Equal((control.RedoLsn, control.CheckpointTime), (checkpoint.Redo, checkpoint.Time));

        // Only the events, in the order of the log, are the same ones.
        await using WalRecordReader reader = new(new WalFolderSource(folder), options with { Kinds = WalRecordKinds.Decoded });
        List<WalEvent> events = [];
        await foreach (WalEvent happened in reader.ReadEventsAsync(CancellationToken.None))
            events.Add(happened);
        Assert.Equal(records.Where(r => r.Kind != WalRecordKinds.Other).Select(r => WalEvent.Decode(r)!), events);
        Assert.Equal(end, reader.End);
        Assert.Equal(cluster.Tools.Major, reader.ServerVersion);
        Assert.Equal(control.SystemIdentifier, reader.SystemIdentifier);
    }

    [Fact]
    public async Task Follows_timelines()
    {
        await using PostgresCluster cluster = await WalLoad.RunAsync(segmentMegabytes: 1);
        await cluster.RunToolAsync("pgbench", "-i", "-q", "-s", "1");
        await WalLoad.PromoteAsync(cluster);
        await cluster.RunToolAsync("pgbench", "-c", "2", "-t", "500");
        await WalLoad.PromoteAsync(cluster);
        await cluster.ExecuteAsync("SELECT pg_create_restore_point('on the third')");
        await cluster.StopAsync();
        string folder = WalLoad.WalFolder(cluster);
        WalSegmentSize size = new(1 << 20);
        TimelineId third = new(3);
        TimelineHistory history = TimelineHistory.Parse(third, await File.ReadAllTextAsync(Path.Combine(folder, third.HistoryFileName)));
        Assert.Equal([1u, 2u, 3u], history.Path.Select(s => s.Timeline.Value));
        WalReadOptions options = new() { SegmentSize = size, History = history, Start = WalLoad.FirstLsn(folder, size), Kinds = WalRecordKinds.All };

        (List<WalRecord> records, WalEnd end) = await WalLoad.ReadAllAsync(new WalFolderSource(folder), options);

        Assert.True(end.IsClean, WalLoad.Text(end));
        List<DumpedRecord> dumped = [];
        foreach (TimelineSpan span in history.Path)
        {
            Lsn from = span.Start.IsZero ? options.Start : span.Start;
            dumped.AddRange(await WalDump.ReadAsync(cluster.Tools, folder, span.Timeline, from, span.End ?? end.Position));
        }
        WalLoad.AssertSame(dumped, records);
        Assert.Equal(2, records.Select(r => WalEvent.Decode(r)).Count(e => e is WalCheckpoint c && c.ThisTimeline != c.PreviousTimeline));

        // Without the new timeline's first segment its parent's serves up to the switch.
        Lsn switched = history.SwitchPointOf(new TimelineId(2))!.Value;
        WalSegmentName first = WalSegmentName.Containing(third, switched, size);
        File.Delete(Path.Combine(folder, first.ToString()));
        (List<WalRecord> before, WalEnd missing) = await WalLoad.ReadAllAsync(new WalFolderSource(folder), options);
        Assert.Equal((WalEndKind.SegmentMissing, first, switched), (missing.Kind, missing.Segment, missing.Position));
        Assert.Equal(records.Where(r => r.End <= switched).Select(r => r.Start), before.Select(r => r.Start));

        // A segment of an abandoned branch under the right name is noticed.
        WalSegmentName wrong = WalSegmentName.Containing(new TimelineId(2), history.Path[1].Start + (3UL << 20), size);
        TimelineHistory other = TimelineHistory.Of(third, [new TimelineSwitch(TimelineId.First, history.Path[1].Start, ""), new TimelineSwitch(new TimelineId(2), wrong.StartFor(size) + 16384, "")]);
        File.Copy(Path.Combine(folder, wrong.ToString()), Path.Combine(folder, wrong.On(third).ToString()), overwrite: true);
        (_, WalEnd strange) = await WalLoad.ReadAllAsync(new WalFolderSource(folder), options with { History = other });
        Assert.Equal((WalEndKind.Damaged, WalEndReason.PageInvalid), (strange.Kind, strange.Reason));
        Assert.InRange(strange.Position, wrong.StartFor(size), wrong.StartFor(size) + 16384);
    }

    [Fact]
    public async Task A_record_that_a_crash_cut_off_is_passed_over()
    {
        await using PostgresCluster cluster = await WalLoad.RunAsync(segmentMegabytes: 1);
        await cluster.ExecuteAsync("CREATE TABLE t AS SELECT generate_series(1, 1000) AS i; CHECKPOINT; SELECT pg_switch_wal()");
        await cluster.ExecuteAsync("INSERT INTO t VALUES (1)");
        Lsn lost = Lsn.Parse(await cluster.ScalarAsync<string>("SELECT pg_current_wal_insert_lsn()::text"));
        await cluster.ExecuteAsync("SELECT pg_logical_emit_message(true, 'x', repeat('y', 3000000))");
        await cluster.StopAsync(StopMode.Immediate);
        string folder = WalLoad.WalFolder(cluster);
        WalSegmentSize size = new(1 << 20);
        ulong broken = size.SegmentNumberOf(lost) + 1;
        foreach (string file in Directory.GetFiles(folder))
        {
            if (WalSegmentName.TryParse(Path.GetFileName(file), out WalSegmentName name) && name.NumberFor(size) >= broken)
                File.Delete(file);
        }
        WalReadOptions options = new()
        {
            SegmentSize = size,
            History = TimelineHistory.WithoutAncestors(TimelineId.First),
            Start = WalLoad.FirstLsn(folder, size),
            Kinds = WalRecordKinds.All,
        };
        (_, WalEnd cut) = await WalLoad.ReadAllAsync(new WalFolderSource(folder), options);
        Assert.Equal(WalEndKind.SegmentMissing, cut.Kind);
        Assert.Equal(broken, cut.Segment.NumberFor(size));

        await cluster.StartAsync();
        await cluster.ExecuteAsync("INSERT INTO t VALUES (2)");
        await cluster.StopAsync();
        (List<WalRecord> records, WalEnd end) = await WalLoad.ReadAllAsync(new WalFolderSource(folder), options);

        Assert.True(end.IsClean, WalLoad.Text(end));
        int at = records.FindIndex(r => r.Kind == WalRecordKinds.OverwrittenRecord);
        Assert.True(at > 0);
        WalOverwrittenRecord overwritten = Assert.IsType<WalOverwrittenRecord>(WalEvent.Decode(records[at]));
        Assert.Equal(cut.Position, overwritten.OverwrittenStart);
        Assert.Equal(records[at - 1].Start, records[at].Previous);
        WalLoad.AssertSame(await WalDump.ReadAsync(cluster.Tools, folder, TimelineId.First, options.Start, end.Position), records);
    }
}
