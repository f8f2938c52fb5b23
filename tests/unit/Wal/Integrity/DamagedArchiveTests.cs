using System.Buffers.Binary;
using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Integrity;

namespace PgBackup.Tests.Wal.Integrity;

/// <summary>Every kind of damage is found at the level that can see it, and named; what is whole is called whole.</summary>
public sealed class DamagedArchiveTests(ArchiveLab lab) : IClassFixture<ArchiveLab>
{
    private const int PageSize = 8192;

    [Theory]
    [InlineData(WalCheckLevel.Names, 3)]
    [InlineData(WalCheckLevel.Content, 3)]
    [InlineData(WalCheckLevel.Records, 1)]
    [InlineData(WalCheckLevel.Records, 2)]
    [InlineData(WalCheckLevel.Records, 100)]
    public async Task AnArchiveWithTwoSwitchesInOneSegmentIsWhole(WalCheckLevel level, int chunk)
    {
        Assert.Equal(lab.SwitchNumber, lab.Size.SegmentNumberOf(lab.History.Switches[1].SwitchPoint));
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        WalArchiveCheck check = await ArchiveLab.CheckAsync(repository, level, chunk);
        Assert.Equal("", string.Join('\n', check.Reasons));
        Assert.Equal(WalCheckStatus.Ok, check.Status);
        Assert.Equal(3u, check.Timeline.Value);
        Assert.True(check.IsCurrent);
        Assert.Equal([lab.Backup], check.Backups);
        Assert.Equal(level == WalCheckLevel.Names ? 0 : check.Count, check.ReadCount);
        Assert.True(check.Count > 8);
        Assert.Equal([1u, 3u], check.Ranges.Select(r => r.Timeline.Value));
    }

    /// <summary>Bits in the middle of records, in segments of every timeline: only reading records finds them, and says where.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task AFlippedByteIsFoundByReadingRecords(int seed)
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        var random = new Random(seed);
        ulong first = lab.Size.SegmentNumberOf((await BackupCatalog.ListAsync(repository))[0].StartLsn!.Value);
        for (int tries = 0; ; tries++)
        {
            ulong number = first + (ulong)random.Next((int)(lab.LastOf(repository) - first) + 1);
            string path = lab.PathOf(repository, number);
            byte[] content = File.ReadAllBytes(path);
            int at = random.Next(2, content.Length / PageSize) * PageSize + 200 + random.Next(2000);
            // Behind a switch nothing is written, and nothing is looked at.
            if (content[at] == 0 || content.AsSpan(at / PageSize * PageSize, 20).IndexOfAnyExcept((byte)0) < 0)
            {
                Assert.True(tries < 100);
                continue;
            }
            content[at] ^= 0x10;
            File.WriteAllBytes(path, content);

            Assert.Equal(WalCheckStatus.Ok, (await ArchiveLab.CheckAsync(repository, WalCheckLevel.Content)).Status);
            WalArchiveCheck check = await ArchiveLab.CheckAsync(repository, WalCheckLevel.Records, random.Next(1, 6));
            Assert.Equal(WalCheckStatus.Failure, check.Status);
            WalFault fault = check.Faults[0];
            Lsn damaged = lab.Size.StartOf(number) + (ulong)at;
            Assert.True(fault.Lsn <= damaged, $"{fault} at {fault.Lsn}, damaged at {damaged}");
            // A long record is wrong as a whole: it may begin, and end, some segments away.
            Assert.InRange(WalSegmentName.Parse(fault.Name).NumberFor(lab.Size), number, number + 3);
            return;
        }
    }

    [Fact]
    public async Task TwoObjectsWithEachOthersContentAreBothNamed()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        ulong last = lab.LastOf(repository);
        string one = lab.PathOf(repository, last - 1), other = lab.PathOf(repository, last - 2);
        (byte[] a, byte[] b) = (File.ReadAllBytes(one), File.ReadAllBytes(other));
        File.WriteAllBytes(one, b);
        File.WriteAllBytes(other, a);
        Assert.Equal(WalCheckStatus.Ok, (await ArchiveLab.CheckAsync(repository)).Status);
        foreach (WalCheckLevel level in (WalCheckLevel[])[WalCheckLevel.Content, WalCheckLevel.Records])
        {
            WalArchiveCheck check = await ArchiveLab.CheckAsync(repository, level);
            Assert.Equal([Path.GetFileName(other), Path.GetFileName(one)], check.Faults.Select(f => f.Name));
            Assert.Contains($"belongs into {Path.GetFileName(one)}", check.Faults[0].Message, StringComparison.Ordinal);
            Assert.Equal(2, check.FaultCount);
        }
    }

    public static TheoryData<string, string> PageDamage => new()
    {
        { "truncated", "it has 524288 bytes" },
        { "empty", "it is empty" },
        { "long", "longer than a segment" },
        { "zeroed page", "is all zero, though the log goes on" },
        { "magic", "its magic is" },
        { "address", "its address is" },
        { "flags", "its flags are" },
        { "page timeline", "it is of timeline 0 and follows one of timeline 1" },
        { "foreign cluster", "was written by the cluster 4711" },
        { "no segment", "its first page is not that of a WAL segment" },
        { "segment size", "its first page" },
        { "version", "PostgreSQL 14 wrote it" },
    };

    [Theory]
    [MemberData(nameof(PageDamage))]
    public async Task DamageToPagesIsFoundByReadingContentAndByReadingRecords(string kind, string words)
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        ulong number = lab.Size.SegmentNumberOf((await BackupCatalog.ListAsync(repository))[0].FinishLsn!.Value) + 2;
        string path = lab.PathOf(repository, number);
        byte[] content = File.ReadAllBytes(path);
        Span<byte> page = content.AsSpan(20 * PageSize);
        switch (kind)
        {
            case "truncated":
                content = content[..(content.Length / 2)];
                break;
            case "empty":
                content = [];
                break;
            case "long":
                content = [.. content, .. new byte[PageSize]];
                break;
            case "zeroed page":
                page[..PageSize].Clear();
                break;
            case "magic":
                page[0] ^= 1;
                break;
            case "address":
                page[10] ^= 1;
                break;
            case "flags":
                page[2] |= 0x40;
                break;
            case "page timeline":
                // A segment's own first page would already say so.
                BinaryPrimitives.WriteUInt32LittleEndian(page[4..], 0);
                break;
            case "foreign cluster":
                BinaryPrimitives.WriteUInt64LittleEndian(content.AsSpan(24), 4711);
                break;
            case "no segment":
                content.AsSpan(0, PageSize).Clear();
                break;
            case "segment size":
                BinaryPrimitives.WriteUInt32LittleEndian(content.AsSpan(32), 16 << 20);
                break;
            case "version":
                for (int at = 0; at < content.Length; at += PageSize)
                    BinaryPrimitives.WriteUInt16LittleEndian(content.AsSpan(at), 0xD10D);
                break;
        }
        File.WriteAllBytes(path, content);
        foreach (WalCheckLevel level in (WalCheckLevel[])[WalCheckLevel.Content, WalCheckLevel.Records])
        {
            WalArchiveCheck check = await ArchiveLab.CheckAsync(repository, level);
            Assert.Equal(WalCheckStatus.Failure, check.Status);
            WalFault fault = Assert.Single(check.Faults);
            Assert.Equal(Path.GetFileName(path), fault.Name);
            Assert.Equal(RepositoryLayout.WalFolder + fault.Name, fault.Key);
            Assert.Contains(words, fault.Message, StringComparison.Ordinal);
            Assert.InRange(fault.Lsn!.Value, lab.Size.StartOf(number), lab.Size.StartOf(number + 1));
            Assert.Contains("Push-PgWal", fault.Recommendation, StringComparison.Ordinal);
        }
    }

    /// <summary>What an older timeline has under the same number is not what the newer one has.</summary>
    [Fact]
    public async Task TheContentOfAnotherTimelineIsFound()
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        string path = lab.PathOf(repository, lab.SwitchNumber + 1);
        byte[] content = File.ReadAllBytes(path);
        for (int at = 0; at < content.Length; at += PageSize)
            BinaryPrimitives.WriteUInt32LittleEndian(content.AsSpan(at + 4), 1);
        File.WriteAllBytes(path, content);
        WalFault fault = Assert.Single((await ArchiveLab.CheckAsync(repository, WalCheckLevel.Content)).Faults);
        Assert.Contains($"timeline 1, which was left at {lab.History.Switches[0].SwitchPoint}", fault.Message, StringComparison.Ordinal);
        string older = lab.PathOf(repository, lab.SwitchNumber - 1);
        content = File.ReadAllBytes(older);
        BinaryPrimitives.WriteUInt32LittleEndian(content.AsSpan(4), 3);
        File.WriteAllBytes(older, content);
        Assert.Contains("later than that of its name", (await ArchiveLab.CheckAsync(repository, WalCheckLevel.Content)).Faults[0].Message, StringComparison.Ordinal);
    }

    /// <summary>A stretch of log that is good in itself, and of another past: only the chain over the border tells.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task ARecordThatIsLostAtABorderIsFoundByTheChain(int chunk)
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        // The link of the first whole record of a segment, and its checksum made to fit.
        for (ulong number = lab.SwitchNumber + 1; ; number++)
        {
            string path = lab.PathOf(repository, number);
            Assert.True(File.Exists(path));
            byte[] content = File.ReadAllBytes(path);
            int rest = (content[2] & 1) != 0 ? (BinaryPrimitives.ReadInt32LittleEndian(content.AsSpan(16)) + 7) & ~7 : 0;
            int at = 40 + rest;
            if (at > PageSize - 24 || BinaryPrimitives.ReadInt32LittleEndian(content.AsSpan(at)) is var length && (length < 24 || at + length > PageSize))
                continue;
            Span<byte> record = content.AsSpan(at, length);
            BinaryPrimitives.WriteUInt64LittleEndian(record[8..], BinaryPrimitives.ReadUInt64LittleEndian(record[8..]) - 8);
            uint checksum = PgBackup.Postgres.Crc32C.Append(PgBackup.Postgres.Crc32C.Start, record[24..]);
            BinaryPrimitives.WriteUInt32LittleEndian(record[20..], PgBackup.Postgres.Crc32C.Finish(PgBackup.Postgres.Crc32C.Append(checksum, record[..20])));
            File.WriteAllBytes(path, content);
            Assert.Equal(WalCheckStatus.Ok, (await ArchiveLab.CheckAsync(repository, WalCheckLevel.Content)).Status);
            WalArchiveCheck check = await ArchiveLab.CheckAsync(repository, WalCheckLevel.Records, chunk);
            Assert.Equal(Path.GetFileName(path), Assert.Single(check.Faults).Name);
            Assert.Contains("follows", check.Faults[0].Message, StringComparison.Ordinal);
            return;
        }
    }
}
