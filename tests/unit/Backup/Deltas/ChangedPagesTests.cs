using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;
using PgBackup.Backup;
using PgBackup.Backup.Deltas;
using PgBackup.Backup.Reading;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Summaries;
using PgBackup.Repository.Documents;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup.Deltas;

public sealed class ChangedPagesTests
{
    private const int BlocksPerSegment = 4096;

    /// <summary>What the summaries say of a relation, against a plain set of its blocks.</summary>
    [Fact]
    public void BlocksOfAFileAreThoseOfTheSummaries()
    {
        Arbitrary<(int, bool)[]> rows = Gen.ArrayOf(Gen.Zip(Gen.Choose(0, 3 * BlocksPerSegment), Gen.Frequency((20, Gen.Constant(false)), (1, Gen.Constant(true))))).ToArbitrary();
        Prop.ForAll(rows, Gen.Choose(0, 2).ToArbitrary(), Gen.Zip(Gen.Choose(0, BlocksPerSegment), Gen.Choose(0, BlocksPerSegment)).ToArbitrary(), (told, segment, counts) =>
        {
            var changes = new BlockChanges();
            foreach ((int block, bool isLimit) in told)
                changes.Add(1663, 5, 16384, block, isLimit);
            (int count, int known) = counts;
            uint[]? found = changes.ChangesIn(new RelationPath(DataFileKind.Relation, 1663, 5, 16384, RelationFork.Main, (uint)segment), BlocksPerSegment, (uint)count, (uint)known);
            long first = (long)segment * BlocksPerSegment;
            int limit = told.Where(t => t.Item2).Select(t => t.Item1).DefaultIfEmpty(int.MaxValue).Min();
            if (limit <= first || limit - first < known)
            {
                Assert.Null(found);
                return;
            }
            IEnumerable<uint> expected = Enumerable.Range(0, count)
                .Where(b => b >= known || told.Any(t => !t.Item2 && t.Item1 == first + b)).Select(b => (uint)b);
            Assert.Equal(expected, found);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void AWholeDatabaseIsOneRow()
    {
        var changes = new BlockChanges();
        changes.Add(1663, 5, 0, 0, true);
        Assert.Null(changes.ChangesIn(new RelationPath(DataFileKind.Relation, 1663, 5, 2619, RelationFork.Main, 0), BlocksPerSegment, 10, 10));
        Assert.Empty(changes.ChangesIn(new RelationPath(DataFileKind.Relation, 1663, 6, 2619, RelationFork.Main, 0), BlocksPerSegment, 10, 10)!);
        Assert.Empty(changes.ChangesIn(new RelationPath(DataFileKind.Relation, 16500, 5, 2619, RelationFork.Main, 0), BlocksPerSegment, 10, 10)!);
    }

    /// <summary>Summaries cover a range exactly when every LSN of it lies in one of its timeline.</summary>
    [Fact]
    public void AGapInTheSummariesIsFound()
    {
        TimelineHistory history = TimelineHistory.Of(new TimelineId(2), [new TimelineSwitch(TimelineId.First, new Lsn(50), "")]);
        Gen<WalSummary> summary = Gen.Zip(Gen.Choose(1, 2), Gen.Zip(Gen.Choose(0, 99), Gen.Choose(1, 40)))
            .Select(s => new WalSummary(new TimelineId((uint)s.Item1), new Lsn((ulong)s.Item2.Item1), new Lsn((ulong)(s.Item2.Item1 + s.Item2.Item2))));
        Prop.ForAll(Gen.ArrayOf(summary, 12).ToArbitrary(), Gen.Zip(Gen.Choose(0, 98), Gen.Choose(1, 60)).ToArbitrary(), (available, range) =>
        {
            Lsn start = new((ulong)range.Item1), end = new((ulong)Math.Min(range.Item1 + range.Item2, 100));
            bool IsCovered(ulong lsn) => available.Any(s => s.Timeline == history.TimelineAt(new Lsn(lsn)) && s.Start.Value <= lsn && lsn < s.End.Value);
            ulong? gap = null;
            for (ulong lsn = start.Value; lsn < end.Value && gap is null; lsn++)
                gap = IsCovered(lsn) ? null : lsn;
            (List<WalSummary>? covering, Lsn at) = WalSummaries.Cover(available, history, start, end);
            Assert.Equal(gap is null, covering is not null);
            if (gap is { } missing)
                Assert.Equal(new Lsn(missing), at);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public async Task SummariesThatAreGoneLeaveTheScan()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(new PostgresClusterOptions
        {
            Tools = PostgresTools.OfMajor(17),
            Settings = new Dictionary<string, string> { ["summarize_wal"] = "on" },
        });
        await source.Cluster.ExecuteAsync("CREATE TABLE t (id int, filler text); INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 30000) i");
        await source.BackUpAsync();
        await source.Cluster.ExecuteAsync("UPDATE t SET filler = 'y' WHERE id = 77");
        await source.BackUpAsync(source.Options with { Type = BackupTypeRequest.Delta });
        await source.Cluster.ExecuteAsync("UPDATE t SET filler = 'z' WHERE id = 20077");
        await source.Cluster.ExecuteAsync("CHECKPOINT");
        // What is not yet summarized would be again, without a gap.
        while (!await source.Cluster.ScalarAsync<bool>("SELECT summarized_lsn >= (SELECT redo_lsn FROM pg_control_checkpoint()) FROM pg_get_wal_summarizer_state()"))
            await Task.Delay(100);
        foreach (string summary in Directory.GetFiles(Path.Combine(source.Cluster.DataDirectory, "pg_wal", "summaries"), "*.summary"))
            File.Delete(summary);
        var log = new RecordingLog();
        BackupResult delta = await source.BackUpAsync(source.Options with { Type = BackupTypeRequest.Delta }, log);
        Assert.Contains(log.Of(LogLevel.Warning), w => w.Contains("reading the pages", StringComparison.Ordinal));
        Assert.True(delta.IncrementCount > 0);
        using var folder = new TempFolder();
        await WalGRestore.ForwardAsync(source.RepositoryPath, delta.Name, folder.Combine("data"));
        await using RecoveredServer restored = await RecoveredServer.StartAsync(source, folder.Combine("data"));
        Assert.Equal("y,z", await restored.ScalarAsync<string>("SELECT string_agg(filler, ',' ORDER BY id) FROM t WHERE length(filler) = 1"));
    }

    /// <summary>A database under the OID of one that is gone, copied file by file: new files, old LSNs.</summary>
    [Fact]
    public async Task ADatabaseInThePlaceOfAnotherIsStoredWhole()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.Cluster.ExecuteAsync("CREATE DATABASE template_one");
        await source.Cluster.ExecuteAsync("CREATE TABLE t (v text); INSERT INTO t SELECT 'new' FROM generate_series(1, 50000)", "template_one");
        await source.Cluster.ExecuteAsync("CREATE DATABASE d OID 888888");
        await source.Cluster.ExecuteAsync("CREATE TABLE t (v text); INSERT INTO t SELECT 'old' FROM generate_series(1, 50000)", "d");
        await source.BackUpAsync();
        await source.Cluster.ExecuteAsync("DROP DATABASE d");
        await source.Cluster.ExecuteAsync("CREATE DATABASE d OID 888888 TEMPLATE template_one STRATEGY FILE_COPY");
        BackupResult delta = await source.BackUpAsync(source.Options with { Type = BackupTypeRequest.Delta });
        using var folder = new TempFolder();
        await WalGRestore.ForwardAsync(source.RepositoryPath, delta.Name, folder.Combine("data"));
        await using RecoveredServer restored = await RecoveredServer.StartAsync(source, folder.Combine("data"), "recovery_target = 'immediate'\nrecovery_target_action = 'promote'\n");
        Assert.Equal("50000 new", await ClusterContent.OneAsync(restored.ConnectionStringFor("d"), "SELECT count(*) || ' ' || min(v) FROM t"));
    }

    /// <summary>In the folders that a database has in other tablespaces than its own there is no PG_VERSION.</summary>
    [Fact]
    public async Task ATableInATablespaceIsStoredInPart()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.Cluster.CreateTablespaceAsync("fast");
        await source.Cluster.ExecuteAsync("CREATE TABLE t (id int, filler text) TABLESPACE fast; INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 30000) i");
        await source.Cluster.ExecuteAsync("VACUUM t"); // Sets the hints, which otherwise the next reader would, on every page.
        await source.BackUpAsync();
        await source.Cluster.ExecuteAsync("UPDATE t SET filler = 'y' WHERE id = 77");
        BackupResult delta = await source.BackUpAsync(source.Options with { Type = BackupTypeRequest.Delta });
        var checker = new WalGBackupChecker(source.RepositoryPath, delta.Name);
        await checker.CheckAsync();
        Assert.Contains(checker.Files.EnumerateObject(), f => f.Name.StartsWith("/pg_tblspc/", StringComparison.Ordinal) && f.Value.GetProperty("IsIncremented").GetBoolean());
    }

    [Fact]
    public void ATimeBesideIsAnother() => Prop.ForAll(Gen.Choose(0, 999_999_999).ToArbitrary(), nanoseconds =>
    {
        FileTime beside = new FileTime(5, nanoseconds).Beside();
        Assert.NotEqual(nanoseconds, beside.Nanoseconds);
        Assert.InRange(beside.Nanoseconds, 1, 999_999_999);
    }).QuickCheckThrowOnFailure();

    /// <summary>Page-shaped files that are no relations, and relations' forks, are whole or not at all.</summary>
    [Fact]
    public async Task OnlyMainForksOfRelationsAreIncrements()
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync();
        await source.Cluster.ExecuteAsync("CREATE TABLE t (id int PRIMARY KEY, filler text); INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(1, 30000) i");
        string foreign = Path.Combine(source.Cluster.DataDirectory, "base", "shadow");
        Directory.CreateDirectory(foreign);
        string file = Path.Combine(foreign, "16384");
        await File.WriteAllBytesAsync(file, new byte[3 * 8192]);
        ServerAccount.Current.Own(foreign);
        await source.BackUpAsync();
        await source.Cluster.ExecuteAsync("UPDATE t SET filler = 'y' WHERE id % 1000 = 0; SELECT txid_current() FROM generate_series(1, 10)");
        byte[] changed = new byte[3 * 8192];
        changed[9000] = 1;
        await File.WriteAllBytesAsync(file, changed);
        BackupResult delta = await source.BackUpAsync(source.Options with { Type = BackupTypeRequest.Delta });
        var checker = new WalGBackupChecker(source.RepositoryPath, delta.Name);
        await checker.CheckAsync();
        List<string> increments = [.. checker.Files.EnumerateObject().Where(f => f.Value.GetProperty("IsIncremented").GetBoolean()).Select(f => f.Name)];
        Assert.NotEmpty(increments);
        Assert.All(increments, name => Assert.Matches(@"^/base/[0-9]+/[0-9]+(\.[0-9]+)?$", name));
        Assert.Equal(3 * 8192, checker.Members["/base/shadow/16384"]);
        Assert.Contains("/pg_xact/0000", checker.Members.Keys);
        Assert.Contains(checker.Files.EnumerateObject(), f => f.Name.EndsWith("PG_VERSION", StringComparison.Ordinal));
    }

    [Fact]
    public void TimesAloneTellOnlyOfFilesThatAreOlderThanTheParent()
    {
        var start = new DateTimeOffset(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);
        var unchanged = new UnchangedFiles(start, isOfThisHost: true);
        FileTime At(double seconds) => new(start.AddSeconds(Math.Floor(seconds)).ToUnixTimeSeconds(), 123);
        bool Is(double modified, double changed, FileTime parent, long size = 8192) =>
            unchanged.Contains(new DataDirectoryEntry("/d/f", "/f", false, new FileFacts(size, 0x8180, At(modified), At(changed))), new ParentFile(parent, 8192));
        Assert.True(Is(-60, -60, At(-60)));
        Assert.True(Is(-60, -60, At(-60) with { Nanoseconds = 0 })); // A tar's time has whole seconds.
        Assert.False(Is(-60, -60, At(-60) with { Nanoseconds = 124 }));
        Assert.False(Is(-60, -60, At(-61)));
        Assert.False(new UnchangedFiles(start, isOfThisHost: false).Contains(
            new DataDirectoryEntry("/d/f", "/f", false, new FileFacts(8192, 0x8180, At(-9999), At(-9999))), new ParentFile(At(-9999), 8192)));
        Assert.False(Is(-60, -60, At(-60), size: 16384));
        Assert.False(Is(-1, -60, At(-1)));  // The parent may have read it half-changed.
        Assert.False(Is(-60, 30, At(-60))); // Somebody has set its time back.
        Assert.False(unchanged.Contains(new DataDirectoryEntry("/d/f", "/f", false, new FileFacts(8192, 0x8180, At(-60), At(-60))), new ParentFile(At(-60), -1)));
    }

    [Fact]
    public void TimesAreReadAsTheyAreWritten()
    {
        Prop.ForAll(Gen.Zip(Gen.Choose(0, int.MaxValue), Gen.Choose(0, 999_999_999)).ToArbitrary(), t =>
        {
            var time = new FileTime(t.Item1, t.Item2);
            Assert.True(FileTime.TryParse(time.ToString(), out FileTime read));
            Assert.Equal(time, read);
        }).QuickCheckThrowOnFailure();
        Assert.True(FileTime.TryParse("2026-08-22T10:11:12.123456789+02:00", out FileTime offset));
        Assert.Equal("2026-08-22T08:11:12.123456789Z", offset.ToString());
        Assert.False(FileTime.TryParse("yesterday", out _));
        Assert.False(FileTime.TryParse(null, out _));
        Assert.False(FileTime.TryParse("2026-08-22T10:11:12.Z", out _));
    }

    [Fact]
    public void RunsHoldTheNumbersTheyWereMadeOf()
    {
        Prop.ForAll(Gen.ArrayOf(Gen.Choose(0, 200)).ToArbitrary(), numbers =>
        {
            uint[] blocks = [.. numbers.Select(n => (uint)n).Distinct().Order()];
            BlockRanges? ranges = BlockRanges.Of(blocks);
            Assert.Equal(blocks, ranges?.Blocks() ?? []);
            Assert.All(Enumerable.Range(0, 210), n => Assert.Equal(blocks.Contains((uint)n), ranges?.Contains((uint)n) ?? false));
            Assert.Equal(blocks, BlockRanges.FromRuns(ranges?.Runs.ToArray() ?? [])?.Blocks() ?? []);
        }).QuickCheckThrowOnFailure();
        Assert.Null(BlockRanges.FromRuns([1]));
        Assert.Null(BlockRanges.FromRuns([5, 2, 6, 1]));
        Assert.Null(BlockRanges.FromRuns([5, 0]));
    }

    [Fact]
    public void BitmapsHoldTheNumbersTheyWereMadeOf()
    {
        Prop.ForAll(Gen.ArrayOf(Gen.Choose(0, 4000)).ToArbitrary(), numbers =>
        {
            var bits = new BlockBits();
            foreach (int number in numbers)
                bits.Add((uint)number);
            byte[] read = BlockBitmap.TryParse(bits.ToBitmap().Text)!.ToBits();
            Assert.All(Enumerable.Range(0, 4100), n => Assert.Equal(numbers.Contains(n), BlockBitmap.IsSet(read, (uint)n)));
        }).QuickCheckThrowOnFailure();
        Assert.Equal("", new BlockBits().ToBitmap().Text);
        Assert.Null(BlockBitmap.TryParse("no base64"));
        Assert.Null(BlockBitmap.TryParse("////"));
        // A few bytes that unpack to more than any file has.
        Assert.Null(BlockBitmap.TryParse(BlockBitmap.Of(Enumerable.Repeat((byte)1, 2 << 20).ToArray()).Text));
    }

    /// <summary>Without data checksums a page is marked all-visible without moving its LSN: it counts as changed until the chain has the mark.</summary>
    [Theory]
    [InlineData(false, null, new uint[] { 1, 2 }, new uint[0])]
    [InlineData(false, new uint[] { 1 }, new uint[] { 2 }, new uint[] { 1 })]
    [InlineData(false, new uint[] { 1, 2 }, new uint[0], new uint[] { 1, 2 })]
    [InlineData(true, null, new uint[0], null)]
    public void MarksThatTheParentDoesNotHaveAreChanges(bool hasChecksums, uint[]? known, uint[] expected, uint[]? noted)
    {
        byte[] pages = new byte[3 * 8192];
        for (int i = 0; i < 3; i++)
        {
            Init(pages.AsSpan(i * 8192, 8192), 100);
            if (i > 0)
                pages[(i * 8192) + 10] = 4; // PD_ALL_VISIBLE.
        }
        var bits = new BlockBits();
        foreach (uint block in known ?? [])
            bits.Add(block);
        var parent = new ParentFile(default, 3 * 8192, null, known is null ? null : bits.ToBitmap());
        var scan = new PageScan(new Lsn(500), null, new RateLimiter(null), hasChecksums);
        var changed = new List<uint>();
        var notes = new PageNotes(!hasChecksums);
        Assert.True(scan.Choose(pages, 0, parent, scan.VisibleIn(parent), changed, notes));
        Assert.Equal(expected, changed);
        byte[]? read = notes.AllVisible?.ToBitmap().ToBits();
        Assert.Equal(noted, read is null ? null : Enumerable.Range(0, 3).Select(n => (uint)n).Where(n => BlockBitmap.IsSet(read, n)).ToArray());
    }

    /// <summary>A page that was never used is no reason to store a file whole; one that has become empty is.</summary>
    [Fact]
    public async Task EmptyPagesThatTheParentHadToo()
    {
        using var folder = new TempFolder();
        string path = folder.Combine("16384");
        byte[] pages = new byte[4 * 8192];
        Init(pages.AsSpan(0, 8192), 100);
        Init(pages.AsSpan(2 * 8192, 8192), 900);
        await File.WriteAllBytesAsync(path, pages);
        FileFacts facts = Posix.FactsOf(path)!.Value;
        var entry = new DataDirectoryEntry(path, "/base/5/16384", false, facts);
        var scan = new PageScan(new Lsn(500), null, new RateLimiter(null), hasChecksums: true);
        async Task<Increment?> ScanAsync(ParentFile parent)
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle handle = File.OpenHandle(path);
            return await scan.ScanAsync(entry, handle, facts, parent, CancellationToken.None);
        }

        Increment? known = await ScanAsync(new ParentFile(default, 3 * 8192, BlockRanges.Of([1])));
        Assert.Equal([2u, 3u], known!.Blocks);
        Assert.Equal([1u], known.Notes.Empty.ToArray());
        Assert.Null(await ScanAsync(new ParentFile(default, 3 * 8192)));
        Assert.Null(await ScanAsync(new ParentFile(default, 4 * 8192, BlockRanges.Of([1]))));
        Assert.Null(await ScanAsync(new ParentFile(default, -1)));
    }

    private static void Init(Span<byte> page, uint lsn)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(page[4..], lsn);
        BinaryPrimitives.WriteUInt16LittleEndian(page[12..], 24);
        BinaryPrimitives.WriteUInt16LittleEndian(page[14..], 8192);
        BinaryPrimitives.WriteUInt16LittleEndian(page[16..], 8192);
        BinaryPrimitives.WriteUInt16LittleEndian(page[18..], 8192 | 4);
    }
}
