using PgBackup.Postgres.WalRecords;
using PgBackup.Repository.Pieces;

namespace PgBackup.Repository;

/// <summary>A segment of which the repository holds pieces, as far as their names tell.</summary>
/// <param name="SystemIdentifier">The cluster that wrote it.</param>
/// <param name="Segment">The segment.</param>
/// <param name="Length">How many bytes from its start on the pieces hold without a gap.</param>
/// <param name="StoredBytes">The pieces' bytes as stored.</param>
/// <param name="Modified">When the newest of them was written.</param>
public sealed record WalTail(ulong SystemIdentifier, WalSegmentName Segment, int Length, long StoredBytes, DateTimeOffset Modified)
{
    /// <summary>What the pieces of one segment hold; null when they hold no WAL.</summary>
    internal static WalTail? Of(IEnumerable<WalPiece> pieces)
    {
        WalPiece[] all = [.. pieces];
        // Fewer bytes hold no record. What begins behind a gap counts: that there is one must be told, and reading tells it.
        int length = WalPieceCover.PrefixOf(all);
        return all.Max(p => p.End) < WalPageHeader.LongSize ? null : new WalTail(all[0].SystemIdentifier, all[0].Segment, length, all.Sum(p => p.Object.Size), all.Max(p => p.Object.LastModified));
    }
}
