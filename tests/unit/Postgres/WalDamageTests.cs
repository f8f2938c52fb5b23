using PgBackup.Postgres.Files;
using PgBackup.Postgres.WalRecords;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Postgres;

/// <summary>The same real log for all tests: segments of 1 MB, the server gone.</summary>
public sealed class WalDamageFixture : IAsyncLifetime
{
    public WalSegmentSize Size { get; } = new(1 << 20);

    public Dictionary<WalSegmentName, byte[]> Segments { get; } = [];

    public List<WalRecord> Records { get; private set; } = [];

    public WalEnd End { get; private set; } = null!;

    public WalReadOptions Options { get; private set; } = null!;

    public WalSegmentName Last { get; private set; }

    public async Task InitializeAsync()
    {
        await using PostgresCluster cluster = await WalLoad.RunAsync(segmentMegabytes: 1);
        await WalLoad.WriteAsync(cluster, messageBytes: 2_500_000);
        await cluster.StopAsync();
        string folder = WalLoad.WalFolder(cluster);
        foreach (string file in Directory.GetFiles(folder))
        {
            if (WalSegmentName.TryParse(Path.GetFileName(file), out WalSegmentName name))
                Segments[name] = await File.ReadAllBytesAsync(file);
        }
        Options = new WalReadOptions
        {
            SegmentSize = Size,
            History = TimelineHistory.WithoutAncestors(TimelineId.First),
            Start = WalLoad.FirstLsn(folder, Size),
            Kinds = WalRecordKinds.All,
        };
        (Records, End) = await WalLoad.ReadAllAsync(new Source(Segments), Options);
        Last = WalSegmentName.Containing(TimelineId.First, End.Position, Size);
    }

    public Task DisposeAsync() => Task.CompletedTask;

    public Task<(List<WalRecord> Records, WalEnd End)> ReadWithAsync(WalSegmentName segment, byte[]? content, WalReadOptions? options = null)
    {
        Dictionary<WalSegmentName, byte[]> changed = new(Segments);
        changed.Remove(segment);
        if (content is not null)
            changed[segment] = content;
        return WalLoad.ReadAllAsync(new Source(changed), options ?? Options);
    }

    internal sealed class Source(Dictionary<WalSegmentName, byte[]> segments) : IWalSegmentSource
    {
        public Task<Stream?> OpenAsync(WalSegmentName segment, CancellationToken cancellationToken) =>
            Task.FromResult<Stream?>(segments.TryGetValue(segment, out byte[]? content) ? new MemoryStream(content, writable: false) : null);
    }
}

public sealed class WalDamageTests(WalDamageFixture wal) : IClassFixture<WalDamageFixture>
{
    private const int PageSize = WalPageHeader.PageSize;

    [Fact]
    public void The_undamaged_log_ends_cleanly()
    {
        Assert.True(wal.End.IsClean, WalLoad.Text(wal.End));
        Assert.True(wal.Records.Count > 3000);
        Assert.True(wal.Segments.Count > 8);
    }

    [Fact]
    public async Task Every_flipped_bit_in_a_record_is_found_before_it_is_handed_out()
    {
        Random random = new(20260101);
        for (int i = 0; i < 400; i++)
        {
            WalRecord record = wal.Records[random.Next(wal.Records.Count)];
            Lsn at = Address(record.Start, random.NextInt64(record.TotalLength));
            (List<WalRecord> records, WalEnd end) = await ReadFlippedAsync(at, random.Next(8));

            string context = $"bit at {at} in the record at {record.Start}: {WalLoad.Text(end)}";
            // A length that grew past the end of the last segment looks like a record whose rest is still to come.
            bool cutShort = end.Kind == WalEndKind.SegmentMissing && WalSegmentName.Containing(TimelineId.First, record.Start, wal.Size) == wal.Last;
            Assert.True(!end.IsClean || cutShort, context);
            Assert.True(end.Position <= record.Start && record.Start.Value - end.Position.Value <= WalPageHeader.LongSize, context);
            Assert.Equal(wal.Records.Where(r => r.Start < record.Start).Select(r => r.Start), records.Select(r => r.Start));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(9)]
    [InlineData(14)]
    public async Task A_changed_page_header_is_found(int offset)
    {
        Random random = new(offset);
        // An older address on the very last page is what a recycled segment looks like: no damage to be found.
        Lsn lastPage = new(wal.Records[^1].Start.Value & ~(ulong)(PageSize - 1));
        List<WalRecord> earlier = [.. wal.Records.Where(r => r.Start < lastPage)];
        for (int i = 0; i < 30; i++)
        {
            WalRecord record = earlier[random.Next(earlier.Count)];
            Lsn page = new(record.Start.Value & ~(ulong)(PageSize - 1));
            (List<WalRecord> records, WalEnd end) = await ReadFlippedAsync(page + (ulong)offset, random.Next(8));
            Assert.False(end.IsClean, $"page {page}: {WalLoad.Text(end)}");
            Assert.True(end.Position <= record.Start);
            Assert.All(records, r => Assert.True(r.End <= page + WalPageHeader.LongSize));
        }
    }

    [Fact]
    public async Task A_segment_cut_short_or_too_long_is_found()
    {
        WalSegmentName name = WalSegmentName.Containing(TimelineId.First, wal.Records[wal.Records.Count / 2].Start, wal.Size);
        foreach (int length in new[] { 0, 1, 8191, 8192, 300_000, (1 << 20) - 8192, (1 << 20) - 1, (1 << 20) + 1 })
        {
            byte[] content = new byte[length];
            wal.Segments[name].AsSpan(0, Math.Min(length, 1 << 20)).CopyTo(content);
            (List<WalRecord> records, WalEnd end) = await wal.ReadWithAsync(name, content);
            Assert.Equal((WalEndKind.Damaged, WalEndReason.SegmentSizeWrong, name), (end.Kind, end.Reason, end.Segment));
            Assert.Equal(wal.Records.Where(r => r.End <= end.Position).Select(r => r.Start), records.Select(r => r.Start));
        }
    }

    [Fact]
    public async Task A_segment_cut_short_after_a_switch_is_found()
    {
        WalRecord change = wal.Records.First(r => r.Kind == WalRecordKinds.Switch);
        WalSegmentName name = WalSegmentName.Containing(TimelineId.First, change.Start, wal.Size);
        int used = wal.Size.OffsetOf(change.Start) + 24;
        (_, WalEnd end) = await wal.ReadWithAsync(name, wal.Segments[name][..(used + PageSize)]);
        Assert.Equal((WalEndKind.Damaged, WalEndReason.SegmentSizeWrong), (end.Kind, end.Reason));
    }

    [Fact]
    public async Task Zeros_in_the_middle_are_damage_and_at_the_end_are_not()
    {
        WalRecord middle = wal.Records[wal.Records.Count / 2];
        WalSegmentName name = WalSegmentName.Containing(TimelineId.First, middle.Start, wal.Size);
        byte[] holed = [.. wal.Segments[name]];
        holed.AsSpan(wal.Size.OffsetOf(middle.Start)).Clear();
        (_, WalEnd hole) = await wal.ReadWithAsync(name, holed);
        Assert.Equal((WalEndKind.Damaged, WalEndReason.Zeros, middle.Start), (hole.Kind, hole.Reason, hole.Position));

        // The same in the last segment is what an unfinished one looks like.
        WalRecord late = wal.Records[^3];
        WalSegmentName last = WalSegmentName.Containing(TimelineId.First, late.Start, wal.Size);
        Assert.Equal(wal.Last, last);
        byte[] unfinished = [.. wal.Segments[last]];
        unfinished.AsSpan(wal.Size.OffsetOf(late.Start)).Clear();
        (List<WalRecord> records, WalEnd end) = await wal.ReadWithAsync(last, unfinished);
        Assert.Equal((WalEndKind.EndOfWal, WalEndReason.Zeros, late.Start), (end.Kind, end.Reason, end.Position));
        Assert.Equal(wal.Records.Count - 3, records.Count);
    }

    [Fact]
    public async Task A_recycled_segment_is_the_end_and_a_missing_one_too()
    {
        WalRecord middle = wal.Records[wal.Records.Count / 2];
        WalSegmentName name = WalSegmentName.Containing(TimelineId.First, middle.Start, wal.Size);
        Dictionary<WalSegmentName, byte[]> upTo = wal.Segments.Where(s => s.Key.CompareTo(name) < 0).ToDictionary();
        (_, WalEnd missing) = await WalLoad.ReadAllAsync(new WalDamageFixture.Source(upTo), wal.Options);
        Assert.Equal((WalEndKind.SegmentMissing, name), (missing.Kind, missing.Segment));
        upTo[name] = upTo.Values.First();
        (_, WalEnd recycled) = await WalLoad.ReadAllAsync(new WalDamageFixture.Source(upTo), wal.Options);
        Assert.Contains(recycled.Reason, new[] { WalEndReason.OldPage, WalEndReason.ContinuationLost });
        Assert.NotEqual(WalEndKind.Damaged, recycled.Kind);
        Assert.Equal(missing.Position, recycled.Position);
    }

    [Fact]
    public async Task A_foreign_segment_is_refused()
    {
        (_, WalEnd other) = await wal.ReadWithAsync(wal.Last, wal.Segments[wal.Last], wal.Options with { SystemIdentifier = 1 });
        Assert.Equal((WalEndKind.Damaged, WalEndReason.ForeignSegment), (other.Kind, other.Reason));
    }

    [Fact]
    public async Task Starts_at_any_record_and_at_the_first_one_after_any_byte()
    {
        Random random = new(7);
        for (int i = 0; i < 150; i++)
        {
            int index = random.Next(wal.Records.Count);
            WalRecord record = wal.Records[index];
            WalReadOptions options = wal.Options with { Start = record.Start, StartsAtRecord = true };
            await using WalRecordReader exact = new(new WalDamageFixture.Source(wal.Segments), options);
            Assert.True(await exact.ReadAsync(CancellationToken.None));
            Assert.Equal(record with { Body = default }, exact.Current with { Body = default });

            Lsn anywhere = new((ulong)random.NextInt64((long)wal.Options.Start.Value, (long)wal.Records[^1].Start.Value));
            await using WalRecordReader after = new(new WalDamageFixture.Source(wal.Segments), wal.Options with { Start = anywhere });
            Assert.True(await after.ReadAsync(CancellationToken.None));
            Assert.Equal(wal.Records.First(r => r.Start >= anywhere).Start, after.Current.Start);

            await using WalRecordReader between = new(new WalDamageFixture.Source(wal.Segments), options with { Start = record.Start + 4 });
            Assert.False(await between.ReadAsync(CancellationToken.None));
            Assert.Equal(WalEndReason.StartInvalid, between.End!.Reason);
        }
    }

    [Fact]
    public async Task Stops_before_the_limit()
    {
        Random random = new(9);
        for (int i = 0; i < 20; i++)
        {
            Lsn limit = wal.Records[random.Next(wal.Records.Count)].Start;
            (List<WalRecord> records, WalEnd end) = await WalLoad.ReadAllAsync(new WalDamageFixture.Source(wal.Segments), wal.Options with { StopAt = limit });
            Assert.Equal(WalEndKind.StopReached, end.Kind);
            Assert.Equal(wal.Records.Where(r => r.Start < limit).Select(r => r.Start), records.Select(r => r.Start));
        }
        // A limit where a switch ended its segment, or in the header after it, needs no further segment.
        WalRecord change = wal.Records.First(r => r.Kind == WalRecordKinds.Switch);
        WalSegmentName next = WalSegmentName.Containing(TimelineId.First, change.End, wal.Size);
        foreach (ulong more in new ulong[] { 0, WalPageHeader.LongSize })
        {
            (_, WalEnd end) = await wal.ReadWithAsync(next, null, wal.Options with { StopAt = change.End + more });
            Assert.Equal((WalEndKind.StopReached, change.End), (end.Kind, end.Position));
        }
    }

    private Task<(List<WalRecord> Records, WalEnd End)> ReadFlippedAsync(Lsn at, int bit)
    {
        WalSegmentName name = WalSegmentName.Containing(TimelineId.First, at, wal.Size);
        byte[] content = [.. wal.Segments[name]];
        content[wal.Size.OffsetOf(at)] ^= (byte)(1 << bit);
        return wal.ReadWithAsync(name, content);
    }

    // Where a byte of a record lies: page headers stand between its pieces.
    private Lsn Address(Lsn start, long index)
    {
        Lsn at = start;
        long left = index;
        while (true)
        {
            long space = PageSize - (long)(at.Value % PageSize);
            if (left < space)
                return at + (ulong)left;
            left -= space;
            at += (ulong)space;
            at += (ulong)(wal.Size.OffsetOf(at) == 0 ? WalPageHeader.LongSize : WalPageHeader.ShortSize);
        }
    }
}
