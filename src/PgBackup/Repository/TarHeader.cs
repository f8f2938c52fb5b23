using System.Buffers;
using System.Text;

namespace PgBackup.Repository;

/// <summary>
/// Headers of tar members as WAL-G's parts hold them: ustar, with GNU's forms for names over 100 bytes and sizes over 8 GiB. Written here, and not by
/// System.Formats.Tar, because members are laid out in frames by many threads and their content follows elsewhere.
/// </summary>
internal static class TarHeader
{
    /// <summary>The unit in which tar lays out headers and content.</summary>
    public const int BlockSize = 512;

    /// <summary>Two empty blocks: the end of a tar.</summary>
    public const int TrailerLength = 2 * BlockSize;

    private const int NameLength = 100;

    /// <summary>The bytes between a member's content and the next header.</summary>
    public static int PaddingOf(long size) => (int)((BlockSize - (size % BlockSize)) % BlockSize);

    /// <summary>Appends the header of a file.</summary>
    public static void WriteFile(IBufferWriter<byte> output, string name, long size, int permissions, long modifiedSeconds) =>
        Write(output, name, size, permissions, modifiedSeconds, (byte)'0');

    /// <summary>Appends the header of a folder.</summary>
    public static void WriteDirectory(IBufferWriter<byte> output, string name, int permissions, long modifiedSeconds) =>
        Write(output, name, 0, permissions, modifiedSeconds, (byte)'5');

    /// <summary>Appends zero bytes.</summary>
    public static void WriteZeros(IBufferWriter<byte> output, int count)
    {
        output.GetSpan(Math.Max(count, 1))[..count].Clear();
        output.Advance(count);
    }

    private static void Write(IBufferWriter<byte> output, string name, long size, int permissions, long modifiedSeconds, byte type)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(name);
        if (utf8.Length > NameLength)
        {
            // GNU: the long name comes first, as the content of a member of its own.
            WriteBlock(output, "././@LongLink"u8, utf8.Length + 1, 0, 0, (byte)'L', gnu: true);
            output.Write(utf8);
            WriteZeros(output, 1 + PaddingOf(utf8.Length + 1));
            WriteBlock(output, utf8.AsSpan(0, NameLength), size, permissions, modifiedSeconds, type, gnu: true);
        }
        else
        {
            WriteBlock(output, utf8, size, permissions, modifiedSeconds, type, gnu: false);
        }
    }

    private static void WriteBlock(
        IBufferWriter<byte> output, ReadOnlySpan<byte> name, long size, int permissions, long modifiedSeconds, byte type, bool gnu)
    {
        Span<byte> block = output.GetSpan(BlockSize)[..BlockSize];
        block.Clear();
        name.CopyTo(block);
        WriteOctal(block.Slice(100, 8), permissions);
        WriteOctal(block.Slice(108, 8), 0);
        WriteOctal(block.Slice(116, 8), 0);
        bool large = size > 0x1_FFFF_FFFF; // More than eleven octal digits hold.
        if (large)
            WriteBinary(block.Slice(124, 12), size);
        else
            WriteOctal(block.Slice(124, 12), size);
        WriteOctal(block.Slice(136, 12), Math.Clamp(modifiedSeconds, 0, 0x1_FFFF_FFFF));
        block[156] = type;
        (gnu || large ? "ustar  \0"u8 : "ustar\000"u8).CopyTo(block[257..]);

        // The checksum is taken with its own field as blanks.
        block.Slice(148, 8).Fill((byte)' ');
        int sum = 0;
        foreach (byte value in block)
            sum += value;
        WriteOctal(block.Slice(148, 7), sum);
        block[155] = (byte)' ';
        output.Advance(BlockSize);
    }

    private static void WriteOctal(Span<byte> field, long value)
    {
        string digits = Convert.ToString(value, 8).PadLeft(field.Length - 1, '0');
        Encoding.ASCII.GetBytes(digits, field);
        field[^1] = 0;
    }

    private static void WriteBinary(Span<byte> field, long value)
    {
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(field[^8..], value);
        field[0] = 0x80;
    }
}
