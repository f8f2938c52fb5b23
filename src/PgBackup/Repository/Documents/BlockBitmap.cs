using System.IO.Compression;

namespace PgBackup.Repository.Documents;

/// <summary>
/// A set of pages of one file, kept in <c>files_metadata.json</c> as <c>AllVisibleBlocks</c>, which wal-g passes over: base64 of the raw deflate of a bitmap, page 0 in the lowest bit
/// of the first byte; the empty text is the empty set. At most some 22 KB for a file of 1 GB.
/// </summary>
public sealed class BlockBitmap
{
    // The largest file that a server can be built with, in pages.
    private const int LongestBitmap = 1 << 20;

    /// <summary>No page.</summary>
    public static readonly BlockBitmap None = new("");

    private BlockBitmap(string text) => Text = text;

    /// <summary>As it is written.</summary>
    public string Text { get; }

    /// <summary>The set that a bitmap tells.</summary>
    public static BlockBitmap Of(ReadOnlySpan<byte> bits)
    {
        int length = bits.LastIndexOfAnyExcept((byte)0) + 1;
        if (length == 0)
            return None;
        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            deflate.Write(bits[..length]);
        return new BlockBitmap(Convert.ToBase64String(packed.GetBuffer().AsSpan(0, (int)packed.Length)));
    }

    /// <summary>What was read; null when it is none.</summary>
    public static BlockBitmap? TryParse(string text)
    {
        if (text.Length == 0)
            return None;
        var bitmap = new BlockBitmap(text);
        return bitmap.TryUnpack() is null ? null : bitmap;
    }

    /// <summary>The bitmap; it ends behind its last bit that is set.</summary>
    public byte[] ToBits() => TryUnpack() ?? [];

    /// <summary>Whether a page is in a bitmap.</summary>
    public static bool IsSet(ReadOnlySpan<byte> bits, uint block) => block / 8 < (uint)bits.Length && (bits[(int)(block / 8)] & (1 << (int)(block % 8))) != 0;

    private byte[]? TryUnpack()
    {
        if (Text.Length == 0)
            return [];
        byte[] packed = new byte[((Text.Length / 4) + 1) * 3];
        if (!Convert.TryFromBase64String(Text, packed, out int length))
            return null;
        try
        {
            using var deflate = new DeflateStream(new MemoryStream(packed, 0, length), CompressionMode.Decompress);
            using var bits = new MemoryStream();
            byte[] part = new byte[4096];
            int read;
            while ((read = deflate.Read(part)) > 0)
            {
                bits.Write(part, 0, read);
                if (bits.Length > LongestBitmap)
                    return null;
            }
            return bits.ToArray();
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }
}
