using System.Buffers.Binary;

namespace PgBackup.Postgres.WalRecords;

/// <summary>The flags of a WAL page (PostgreSQL source: xlp_info in xlog_internal.h).</summary>
[Flags]
public enum WalPageFlags : ushort
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>The page begins with the rest of a record of the page before (XLP_FIRST_IS_CONTRECORD).</summary>
    FirstIsContinuation = 1,

    /// <summary>The header is the long one, as on every segment's first page (XLP_LONG_HEADER).</summary>
    LongHeader = 2,

    /// <summary>From here on full page images can be left out of a compressed archive (XLP_BKP_REMOVABLE).</summary>
    BackupBlocksRemovable = 4,

    /// <summary>
    /// The record that the page before left unfinished was lost in a crash; this page begins with a new one
    /// (XLP_FIRST_IS_OVERWRITE_CONTRECORD).
    /// </summary>
    FirstOverwritesContinuation = 8,

    /// <summary>Every flag that PostgreSQL 13 to 18 sets (XLP_ALL_FLAGS).</summary>
    All = FirstIsContinuation | LongHeader | BackupBlocksRemovable | FirstOverwritesContinuation,
}

/// <summary>The header of a WAL page: 24 bytes with padding (PostgreSQL source: <c>XLogPageHeaderData</c>).</summary>
/// <param name="Magic">The version of the WAL's layout.</param>
/// <param name="Flags">The page's flags.</param>
/// <param name="Timeline">The timeline of the first record on the page.</param>
/// <param name="Address">The page's own LSN.</param>
/// <param name="RemainingLength">How many bytes of the page before's last record are still to come.</param>
public readonly record struct WalPageHeader(ushort Magic, WalPageFlags Flags, TimelineId Timeline, Lsn Address, uint RemainingLength)
{
    /// <summary>The size of a short header in bytes.</summary>
    public const int ShortSize = 24;

    /// <summary>The size of a long header in bytes.</summary>
    public const int LongSize = 40;

    /// <summary>The size of a WAL page in bytes; builds with another size are not supported.</summary>
    public const int PageSize = 8192;

    /// <summary>The size of this header in bytes.</summary>
    public int HeaderSize => (Flags & WalPageFlags.LongHeader) != 0 ? LongSize : ShortSize;

    /// <summary>The server's major version that writes pages with this magic; null when none of 13 to 18 does.</summary>
    public int? MajorVersion => MajorVersionOf(Magic);

    /// <summary>Reads the header that a page begins with; throws <see cref="ArgumentException"/> for less than 24 bytes. Nothing is checked.</summary>
    public static WalPageHeader Read(ReadOnlySpan<byte> page)
    {
        if (page.Length < ShortSize)
            throw new ArgumentException("A WAL page's header has 24 bytes.", nameof(page));
        return new WalPageHeader(
            BinaryPrimitives.ReadUInt16LittleEndian(page),
            (WalPageFlags)BinaryPrimitives.ReadUInt16LittleEndian(page[2..]),
            new TimelineId(BinaryPrimitives.ReadUInt32LittleEndian(page[4..])),
            new Lsn(BinaryPrimitives.ReadUInt64LittleEndian(page[8..])),
            BinaryPrimitives.ReadUInt32LittleEndian(page[16..]));
    }

    /// <summary>The major version whose release has this XLOG_PAGE_MAGIC; null for one that is unknown.</summary>
    public static int? MajorVersionOf(ushort magic) => magic switch
    {
        0xD106 => 13,
        0xD10D => 14,
        0xD110 => 15,
        0xD113 => 16,
        0xD116 => 17,
        0xD118 => 18,
        _ => null,
    };
}

/// <summary>What the first page of a segment says of the whole segment (PostgreSQL source: <c>XLogLongPageHeaderData</c>).</summary>
/// <param name="Page">The page's header.</param>
/// <param name="SystemIdentifier">The cluster that wrote the segment.</param>
/// <param name="SegmentSize">The segment's size.</param>
/// <param name="MajorVersion">The server's major version.</param>
public sealed record WalSegmentHeader(WalPageHeader Page, ulong SystemIdentifier, WalSegmentSize SegmentSize, int MajorVersion)
{
    /// <summary>
    /// Reads the header that a segment's first page begins with (40 bytes at least). Null when this is not the start of a WAL segment of
    /// PostgreSQL 13 to 18: too short, unknown magic, no long header, an impossible segment size, an address that no segment has.
    /// </summary>
    public static WalSegmentHeader? TryRead(ReadOnlySpan<byte> firstPage)
    {
        if (firstPage.Length < WalPageHeader.LongSize)
            return null;
        WalPageHeader page = WalPageHeader.Read(firstPage);
        uint segmentSize = BinaryPrimitives.ReadUInt32LittleEndian(firstPage[32..]);
        if (page.MajorVersion is not { } version
            || (page.Flags & WalPageFlags.LongHeader) == 0
            || page.Timeline.Value == 0
            || !WalSegmentSize.IsValid(segmentSize)
            || BinaryPrimitives.ReadUInt32LittleEndian(firstPage[36..]) != WalPageHeader.PageSize)
            return null;
        var size = new WalSegmentSize((int)segmentSize);
        return size.OffsetOf(page.Address) != 0
            ? null
            : new WalSegmentHeader(page, BinaryPrimitives.ReadUInt64LittleEndian(firstPage[24..]), size, version);
    }

    /// <summary>The number of the segment that the header belongs to.</summary>
    public ulong SegmentNumber => SegmentSize.SegmentNumberOf(Page.Address);
}
