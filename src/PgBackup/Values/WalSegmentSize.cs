using System.Globalization;
using System.Numerics;

namespace PgBackup;

/// <summary>The size of a cluster's WAL segments: a power of two from 1 MB to 1 GB (<c>initdb --wal-segsize</c>).</summary>
public readonly record struct WalSegmentSize
{
    /// <summary>16 MB, what initdb takes when not told.</summary>
    public static readonly WalSegmentSize Default = new(16 * 1024 * 1024);

    private readonly int _bytes;

    /// <summary>Takes the size in bytes; throws <see cref="ArgumentOutOfRangeException"/> when PostgreSQL knows no such size.</summary>
    public WalSegmentSize(int bytes)
    {
        if (!IsValid(bytes))
            throw new ArgumentOutOfRangeException(nameof(bytes), bytes, "A WAL segment is a power of two from 1 MB to 1 GB.");
        _bytes = bytes;
    }

    /// <summary>The size in bytes.</summary>
    public int Bytes => _bytes == 0 ? Default._bytes : _bytes;

    /// <summary>How many segments share the upper 32 bits of their LSN; the base of the last eight digits of a segment's name.</summary>
    public ulong SegmentsPerLogId => 0x1_0000_0000UL / (ulong)Bytes;

    /// <summary>True for the sizes that PostgreSQL accepts.</summary>
    public static bool IsValid(long bytes) => bytes is >= 1 << 20 and <= 1 << 30 && BitOperations.IsPow2(bytes);

    /// <summary>The number of the segment that holds the byte at <paramref name="lsn"/>.</summary>
    public ulong SegmentNumberOf(Lsn lsn) => lsn.Value / (ulong)Bytes;

    /// <summary>The LSN of the first byte of a segment.</summary>
    public Lsn StartOf(ulong segmentNumber) => new(checked(segmentNumber * (ulong)Bytes));

    /// <summary>How far into its segment <paramref name="lsn"/> lies.</summary>
    public int OffsetOf(Lsn lsn) => (int)(lsn.Value & (ulong)(Bytes - 1));

    /// <summary>For people: <c>16 MB</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Bytes / (1024 * 1024)} MB");
}
