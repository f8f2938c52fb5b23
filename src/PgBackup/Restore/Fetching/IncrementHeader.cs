using System.Buffers.Binary;
using System.Numerics;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// What stands before the pages of an increment ("wi1U", WAL-G's <c>pagefile.go</c>): magic, size of the file, number of pages, their block numbers in ascending order.
/// </summary>
/// <param name="FileSize">The bytes of the file when the backup was taken.</param>
/// <param name="PageSize">The bytes of a page; 0 when there are no pages.</param>
/// <param name="Blocks">The number of each page in the file, in the order of the pages.</param>
internal sealed record IncrementHeader(long FileSize, int PageSize, uint[] Blocks)
{
    /// <summary>The bytes before the block numbers.</summary>
    public const int StartLength = 16;

    private const int LargestBlockCount = 131072 * 8; // 1 GB in pages of 1 kB, the smallest that a server can be built with.

    /// <summary>The bytes before the first page.</summary>
    public int Length => StartLength + (4 * Blocks.Length);

    /// <summary>
    /// How long the header is, block numbers and all, told by its first <see cref="StartLength"/> bytes. Throws <see cref="InvalidDataException"/>.
    /// </summary>
    public static int LengthOf(ReadOnlySpan<byte> start)
    {
        if (start.Length < StartLength || !start[..4].SequenceEqual("wi1U"u8))
            throw new InvalidDataException("It should be an increment, but does not begin as one.");
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(start[12..]);
        if (BinaryPrimitives.ReadUInt64LittleEndian(start[4..]) > 1L << 40 || count > LargestBlockCount)
            throw new InvalidDataException("The increment's header holds impossible numbers.");
        return StartLength + (4 * (int)count);
    }

    /// <summary>Reads a header that is there whole; the increment is <paramref name="memberLength"/> bytes long. Throws <see cref="InvalidDataException"/>.</summary>
    public static IncrementHeader Parse(ReadOnlySpan<byte> data, long memberLength)
    {
        int length = LengthOf(data);
        long size = BinaryPrimitives.ReadInt64LittleEndian(data[4..]);
        int count = (length - StartLength) / 4;
        if (count == 0)
        {
            return memberLength == StartLength
                ? new IncrementHeader(size, 0, [])
                : throw new InvalidDataException("The increment has no pages, but bytes after its header.");
        }
        long pages = memberLength - length;
        long pageSize = pages / count;
        if (pages % count != 0 || pageSize is < 1024 or > 32768 || !BitOperations.IsPow2(pageSize))
            throw new InvalidDataException($"The increment's {memberLength} bytes do not hold {count} pages.");
        uint[] blocks = new uint[count];
        for (int i = 0; i < count; i++)
        {
            blocks[i] = BinaryPrimitives.ReadUInt32LittleEndian(data[(StartLength + (4 * i))..]);
            if (i > 0 && blocks[i] <= blocks[i - 1])
                throw new InvalidDataException("The increment's block numbers do not ascend.");
        }
        if (((long)blocks[^1] + 1) * pageSize > size)
            throw new InvalidDataException($"The increment holds block {blocks[^1]}, which lies beyond the file's {size} bytes.");
        return new IncrementHeader(size, (int)pageSize, blocks);
    }
}
