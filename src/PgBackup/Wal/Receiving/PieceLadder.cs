using PgBackup.Repository.Pieces;

namespace PgBackup.Wal.Receiving;

/// <summary>
/// The pieces of one segment, so kept that they stay few: of eight neighbours of one step a bigger one is made, of eight of those again. However small the pieces are, each byte
/// is written again only a few times, and a segment never has more than some dozens.
/// </summary>
internal sealed class PieceLadder
{
    /// <summary>How many of one step make one of the next.</summary>
    public const int Step = 8;

    private readonly List<(WalPiece Piece, int Level)> _pieces = [];

    /// <summary>The pieces, in the order of the log.</summary>
    public IReadOnlyList<WalPiece> Pieces => [.. _pieces.Select(p => p.Piece)];

    /// <summary>Adds the piece that was put last.</summary>
    public void Add(WalPiece piece) => _pieces.Add((piece, 0));

    /// <summary>The neighbours that one bigger piece can stand for; empty when there is nothing to be done.</summary>
    public IReadOnlyList<WalPiece> Due()
    {
        int count = 0;
        while (count < _pieces.Count && _pieces[^(count + 1)].Level == _pieces[^1].Level)
            count++;
        return count < Step ? [] : [.. _pieces.TakeLast(count).Select(p => p.Piece)];
    }

    /// <summary>Puts the bigger piece in the place of those that were due.</summary>
    public void Replace(IReadOnlyCollection<WalPiece> due, WalPiece merged)
    {
        int level = _pieces[^1].Level + 1;
        _pieces.RemoveRange(_pieces.Count - due.Count, due.Count);
        _pieces.Add((merged, level));
    }
}
