namespace PgBackup.Repository.Pieces;

/// <summary>Which pieces of a segment lead on from its start without a gap, by what their names say.</summary>
internal static class WalPieceCover
{
    /// <summary>The piece to read next from an offset on: of those that hold its byte the one that reaches furthest. Null when none does.</summary>
    public static WalPiece? Next(IEnumerable<WalPiece> pieces, int offset)
    {
        WalPiece? best = null;
        foreach (WalPiece piece in pieces)
        {
            if (piece.Start <= offset && piece.End > offset && (best is null || piece.End > best.Value.End))
                best = piece;
        }
        return best;
    }

    /// <summary>How far the pieces reach from the segment's start without a gap; 0 when none begins there.</summary>
    public static int PrefixOf(IReadOnlyCollection<WalPiece> pieces)
    {
        int end = 0;
        while (Next(pieces, end) is { } piece)
            end = piece.End;
        return end;
    }
}
