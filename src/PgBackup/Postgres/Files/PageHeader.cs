using System.Buffers.Binary;

namespace PgBackup.Postgres.Files;

/// <summary>The 24 bytes that a data page begins with (PostgreSQL source: <c>PageHeaderData</c> in bufpage.h).</summary>
public readonly ref struct PageHeader
{
    /// <summary>The size of a page in bytes that every PostgreSQL has unless built otherwise.</summary>
    public const int DefaultPageSize = 8192;

    /// <summary>The size of the header in bytes.</summary>
    public const int Size = 24;

    private const int MaxLayoutVersion = 5;
    private const ushort KnownFlags = 0x7, AllVisibleFlag = 0x4;

    private readonly ReadOnlySpan<byte> _page;

    /// <summary>Looks at a whole page; throws <see cref="ArgumentException"/> when it is shorter than a header.</summary>
    public PageHeader(ReadOnlySpan<byte> page)
    {
        if (page.Length < Size)
            throw new ArgumentException("A page holds at least its header of 24 bytes.", nameof(page));
        _page = page;
    }

    /// <summary>The end of the WAL record that changed the page last; two halves, the upper one first.</summary>
    public Lsn Lsn => new(((ulong)BinaryPrimitives.ReadUInt32LittleEndian(_page) << 32) | BinaryPrimitives.ReadUInt32LittleEndian(_page[4..]));

    /// <summary>The checksum that the page carries; 0 when the cluster has none.</summary>
    public ushort Checksum => U16(8);

    /// <summary>pd_flags.</summary>
    public ushort Flags => U16(10);

    /// <summary>The offset of the free space's start.</summary>
    public ushort Lower => U16(12);

    /// <summary>The offset of the free space's end; 0 in a page that was never used.</summary>
    public ushort Upper => U16(14);

    /// <summary>The offset of the special space.</summary>
    public ushort Special => U16(16);

    /// <summary>The size of the page in bytes that the page itself tells.</summary>
    public int PageSize => U16(18) & 0xFF00;

    /// <summary>The version of the page's layout; 4 in PostgreSQL 13 to 18.</summary>
    public int LayoutVersion => U16(18) & 0x00FF;

    /// <summary>True for a page that was added to the file and never used (PageIsNew: pd_upper is 0).</summary>
    public bool IsNew => Upper == 0;

    /// <summary>True for a page of a table whose rows all transactions see (PD_ALL_VISIBLE).</summary>
    public bool IsAllVisible => (Flags & AllVisibleFlag) != 0;

    /// <summary>True when every byte is zero.</summary>
    public bool IsAllZero => !_page.ContainsAnyExcept((byte)0);

    /// <summary>
    /// True when wal-g, too, takes the header as that of a data page: known flags, header ≤ lower ≤ upper ≤ special ≤ page size,
    /// an LSN, the right size and a known layout. A file with one other page, new ones apart, is stored whole in a delta.
    /// </summary>
    public bool IsValid => (Flags & ~KnownFlags) == 0
        && Size <= Lower && Lower <= Upper && Upper <= Special && Special <= _page.Length
        && !Lsn.IsZero && PageSize == _page.Length && LayoutVersion <= MaxLayoutVersion;

    private ushort U16(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(_page[offset..]);
}
