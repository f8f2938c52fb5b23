using PgBackup.Postgres.Files;
using PgBackup.Postgres.WalRecords;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Postgres;

public sealed class WalPageHeaderTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    public async Task A_real_segment_tells_what_it_is(int segmentMegabytes)
    {
        await using PostgresCluster cluster = await PostgresCluster.CreateAsync(new PostgresClusterOptions { WalSegmentMegabytes = segmentMegabytes });
        ControlFile control = await ControlFile.ReadAsync(cluster.DataDirectory, CancellationToken.None);
        WalSegmentName name = WalSegmentName.Containing(control.Timeline, control.CheckpointLsn, control.WalSegmentSize);
        byte[] segment = await File.ReadAllBytesAsync(Path.Combine(cluster.DataDirectory, "pg_wal", name.ToString()));

        WalSegmentHeader? header = WalSegmentHeader.TryRead(segment);

        Assert.NotNull(header);
        Assert.Equal(control.SystemIdentifier, header.SystemIdentifier);
        Assert.Equal(control.WalSegmentSize, header.SegmentSize);
        Assert.Equal(cluster.Tools.Major, header.MajorVersion);
        Assert.Equal(name.NumberFor(control.WalSegmentSize), header.SegmentNumber);
        Assert.Equal(control.Timeline, header.Page.Timeline);
        Assert.Equal(WalPageHeader.LongSize, header.Page.HeaderSize);
        WalPageHeader second = WalPageHeader.Read(segment.AsSpan(WalPageHeader.PageSize));
        Assert.Equal((header.Page.Address + WalPageHeader.PageSize, WalPageHeader.ShortSize), (second.Address, second.HeaderSize));

        Assert.Null(WalSegmentHeader.TryRead(segment.AsSpan(0, WalPageHeader.LongSize - 1)));
        Assert.Null(WalSegmentHeader.TryRead(segment.AsSpan(WalPageHeader.PageSize)));
        Assert.Null(WalSegmentHeader.TryRead(new byte[WalPageHeader.PageSize]));
        foreach (int damaged in new[] { 0, 1, 2, 8, 33, 36 })
        {
            byte[] changed = segment[..WalPageHeader.LongSize];
            changed[damaged] ^= 0x42;
            Assert.Null(WalSegmentHeader.TryRead(changed));
        }
    }

    [Theory]
    [InlineData(0xD106, 13)]
    [InlineData(0xD10D, 14)]
    [InlineData(0xD110, 15)]
    [InlineData(0xD113, 16)]
    [InlineData(0xD116, 17)]
    [InlineData(0xD118, 18)]
    [InlineData(0xD101, null)]
    public void The_magic_tells_the_version(int magic, int? version) => Assert.Equal(version, WalPageHeader.MajorVersionOf((ushort)magic));
}
