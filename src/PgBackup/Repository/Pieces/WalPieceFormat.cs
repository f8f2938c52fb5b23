using System.Buffers.Binary;

namespace PgBackup.Repository.Pieces;

/// <summary>
/// What stands in a piece before and behind its bytes, so that it is known again whatever its name says (docs/format.md): a head that names cluster, segment and range,
/// and the SHA-256 of head and bytes at the end.
/// </summary>
internal static class WalPieceFormat
{
    /// <summary>The length of the head.</summary>
    public const int HeadSize = 48;

    /// <summary>The length of the checksum.</summary>
    public const int ChecksumSize = 32;

    private const uint Version = 1;

    private static ReadOnlySpan<byte> Magic => "PGBKWALP"u8;

    /// <summary>The head of a piece.</summary>
    public static byte[] Head(ulong systemIdentifier, WalSegmentName segment, WalSegmentSize size, int start, int end)
    {
        byte[] head = new byte[HeadSize];
        Magic.CopyTo(head);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(8), Version);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(12), segment.Timeline.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(16), systemIdentifier);
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(24), segment.StartFor(size).Value);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(32), size.Bytes);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(36), start);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(40), end);
        return head;
    }

    /// <summary>The segment size that a head tells; null when it is not the head of that piece.</summary>
    public static WalSegmentSize? Read(ReadOnlySpan<byte> head, WalPiece piece)
    {
        if (head.Length != HeadSize || !head.StartsWith(Magic) || BinaryPrimitives.ReadUInt32LittleEndian(head[8..]) != Version)
            return null;
        int bytes = BinaryPrimitives.ReadInt32LittleEndian(head[32..]);
        if (!WalSegmentSize.IsValid(bytes) || piece.End > bytes)
            return null;
        var size = new WalSegmentSize(bytes);
        return head.SequenceEqual(Head(piece.SystemIdentifier, piece.Segment, size, piece.Start, piece.End)) ? size : null;
    }
}
