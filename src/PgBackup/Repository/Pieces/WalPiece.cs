using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using PgBackup.Codecs;
using PgBackup.Storage;

namespace PgBackup.Repository.Pieces;

/// <summary>
/// A part of a segment that is not whole in the archive yet, as an object of its own: what a receiver of the log puts every few seconds. Pieces of one segment may overlap.
/// </summary>
/// <param name="SystemIdentifier">The cluster that wrote the log.</param>
/// <param name="Segment">The segment.</param>
/// <param name="Start">The offset of its first byte in the segment.</param>
/// <param name="End">The offset behind its last byte.</param>
/// <param name="Object">The object.</param>
public readonly record struct WalPiece(ulong SystemIdentifier, WalSegmentName Segment, int Start, int End, StoredObject Object)
{
    /// <summary>The folder of all pieces, with its slash.</summary>
    public const string Folder = RepositoryLayout.PrivateFolder + "wal_pieces/";

    /// <summary>The folder of a cluster's pieces, with its slash.</summary>
    public static string FolderOf(ulong systemIdentifier) => string.Create(CultureInfo.InvariantCulture, $"{Folder}{systemIdentifier}/");

    /// <summary>The folder of a segment's pieces, with its slash. The name is broken up: 24 digits in a row would be a segment to wal-g's <c>delete</c>.</summary>
    public static string FolderOf(ulong systemIdentifier, WalSegmentName segment) => $"{FolderOf(systemIdentifier)}{FolderNameOf(segment)}/";

    /// <summary>The name of that folder, without a slash.</summary>
    public static string FolderNameOf(WalSegmentName segment)
    {
        string name = segment.ToString();
        return $"{name[..8]}-{name[8..16]}-{name[16..]}";
    }

    /// <summary>The key of a piece.</summary>
    public static string KeyOf(ulong systemIdentifier, WalSegmentName segment, int start, int end, CompressionMethod method) =>
        string.Create(CultureInfo.InvariantCulture, $"{FolderOf(systemIdentifier, segment)}{start:X8}-{end:X8}{CompressionNames.Extension(method)}");

    /// <summary>Reads what an object's key says; false for what is no piece.</summary>
    public static bool TryParse(StoredObject item, [NotNullWhen(true)] out WalPiece? piece)
    {
        piece = null;
        if (!item.Key.StartsWith(Folder, StringComparison.Ordinal) || item.Key[Folder.Length..].Split('/') is not [var cluster, [_, _, _, _, _, _, _, _, '-', ..] segment, var name]
            || !CompressionNames.TrySplit(name, out string range, out _)
            || !ulong.TryParse(cluster, NumberStyles.None, CultureInfo.InvariantCulture, out ulong identifier)
            || segment.Length != 26 || segment[17] != '-' || !WalSegmentName.TryParse(segment[..8] + segment[9..17] + segment[18..], out WalSegmentName parsed)
            || range.Length != 17 || range[8] != '-' || !TryOffset(range.AsSpan(0, 8), out int start) || !TryOffset(range.AsSpan(9), out int end) || start >= end)
            return false;
        piece = new WalPiece(identifier, parsed, start, end, item);
        return true;
    }

    private static bool TryOffset(ReadOnlySpan<char> text, out int offset) =>
        int.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out offset) && offset is >= 0 and <= 1 << 30;
}
