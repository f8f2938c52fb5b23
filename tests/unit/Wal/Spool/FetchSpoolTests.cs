using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Wal.Native;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Spool;

namespace PgBackup.Tests.Wal.Spool;

/// <summary>Segments that were fetched ahead: taken whole, or not at all.</summary>
public sealed class FetchSpoolTests : IDisposable
{
    private static readonly WalSegmentName s_segment = WalSegmentName.Parse(WalSamples.Segment);

    private readonly NativeLab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void WhatIsTakenIsGone()
    {
        FetchSpool spool = Open();
        byte[] content = WalSamples.SegmentBytes();
        File.WriteAllBytes(spool.PathOf(s_segment), content);
        string target = _lab.PathOf("RECOVERYXLOG");
        File.WriteAllText(target, "old");
        File.WriteAllText(target + ".pgbackup-part", "left by one that was killed");
        Assert.Equal(1 << 20, Take(spool, target)!.SegmentSize.Bytes);
        Assert.Equal(content, File.ReadAllBytes(target));
        Assert.Equal([target], Directory.GetFiles(_lab.WalFolder));
        Assert.False(spool.Has(s_segment));
        Assert.Null(Take(spool, target));
        Assert.Equal(content, File.ReadAllBytes(target));
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("empty")]
    [InlineData("zeros")]
    [InlineData("other")]
    public void WhatIsNotWhatItsNameSaysIsThrownAway(string what)
    {
        FetchSpool spool = Open();
        byte[] content = WalSamples.SegmentBytes();
        File.WriteAllBytes(spool.PathOf(s_segment), what switch
        {
            "cut" => content[..^8192],
            "empty" => [],
            "zeros" => new byte[content.Length],
            _ => WalSamples.SegmentBytes(NativeLab.Name(7)),
        });
        Assert.Null(Take(spool, _lab.PathOf("RECOVERYXLOG")));
        Assert.False(File.Exists(_lab.PathOf("RECOVERYXLOG")));
        Assert.False(spool.Has(s_segment));
    }

    [Fact]
    public async Task ItIsTakenToAnotherFileSystem()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(4);
        FetchSpool spool = Open();
        File.WriteAllBytes(spool.PathOf(s_segment), WalSamples.SegmentBytes());
        string target = Path.Combine(disk.Path, "RECOVERYXLOG");
        Assert.NotNull(Take(spool, target));
        Assert.Equal(WalSamples.SegmentBytes(), File.ReadAllBytes(target));
        Assert.Equal([target], Directory.GetFiles(disk.Path));
        Assert.False(spool.Has(s_segment));

        // Without room there the segment stays, and nothing half is left.
        File.WriteAllBytes(spool.PathOf(s_segment), WalSamples.SegmentBytes());
        File.Delete(target);
        using (var full = new FileStream(Path.Combine(disk.Path, "full"), FileMode.Create, FileAccess.Write, FileShare.None, 0))
        {
            byte[] page = new byte[64 << 10];
            for (int i = 0; i < 55; i++)
                full.Write(page);
        }
        Assert.Throws<IOException>(() => Take(spool, target));
        Assert.True(spool.Has(s_segment));
        Assert.Equal([Path.Combine(disk.Path, "full")], Directory.GetFiles(disk.Path));
    }

    [Fact]
    public void WhatAnEarlierRunOfTheSystemLeftIsThrownAway()
    {
        FetchSpool spool = Open();
        File.WriteAllBytes(spool.PathOf(s_segment), WalSamples.SegmentBytes());
        spool.Ask(new AskedSegment(s_segment, new WalSegmentSize(1 << 20)));
        Assert.True(Open().Has(s_segment));

        File.WriteAllText(Path.Combine(Path.GetDirectoryName(spool.PathOf(s_segment))!, "boot"), "ea5a0000-0000-0000-0000-000000000000");
        Assert.False(Open().Has(s_segment));
        Assert.Null(Open().Asked());
    }

    [Fact]
    public void OneAtATimeHasTheLock()
    {
        FetchSpool spool = Open();
        using (IDisposable? first = spool.TryLock())
        {
            Assert.NotNull(first);
            Assert.Null(Open().TryLock());
        }
        using IDisposable? second = spool.TryLock();
        Assert.NotNull(second);
    }

    [Fact]
    public void APartWithoutSomebodyWhoWritesItIsNotComing()
    {
        FetchSpool spool = Open();
        File.WriteAllText(spool.PathOf(s_segment) + ".pgbackup-part", "half");
        Assert.False(spool.IsComing(s_segment));
        using IDisposable? writer = spool.TryLock();
        Assert.True(spool.IsComing(s_segment));
        spool.Keep([]);
        Assert.False(spool.IsComing(s_segment));
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("000000010000000000000003")]
    [InlineData("000000010000000000000003 x")]
    [InlineData("000000010000000000000003 5")]
    public void NonsenseIsNotAskedFor(string text)
    {
        FetchSpool spool = Open();
        File.WriteAllText(Path.Combine(Path.GetDirectoryName(spool.PathOf(s_segment))!, "asked"), text);
        Assert.Null(spool.Asked());
    }

    private FetchSpool Open() => new(WalSpool.TryOpen(_lab.Settings, _lab.WalFolder, OperationLog.None)!);

    private static PgBackup.Postgres.WalRecords.WalSegmentHeader? Take(FetchSpool spool, string target)
    {
        Assert.True(WalFileName.TryParse(WalSamples.Segment, out WalFileName? file));
        return spool.TryTake(file, target);
    }
}
