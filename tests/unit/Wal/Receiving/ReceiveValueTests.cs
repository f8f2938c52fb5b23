using FsCheck;
using FsCheck.Fluent;
using PgBackup.Repository.Pieces;
using PgBackup.Storage;
using PgBackup.Wal.Receiving;

namespace PgBackup.Tests.Wal.Receiving;

public sealed class ReceiveValueTests
{
    [Theory]
    [InlineData("*", true)]
    [InlineData("pgbackup", true)]
    [InlineData("PGBACKUP", true)]
    [InlineData("FIRST 2 (a, \"pgbackup\", b)", true)]
    [InlineData("ANY 1 (a,pgbackup)", true)]
    [InlineData("1 (pgbackup)", true)]
    [InlineData("", false)]
    [InlineData("pgbackup2, a", false)]
    [InlineData("ANY 1 (\"pg backup\", b)", false)]
    public void NamesOfStandbys(string setting, bool mentions) => Assert.Equal(mentions, SynchronousNames.Mention(setting, "pgbackup"));

    [Fact]
    public void Limits()
    {
        Assert.Equal(new Lsn(0x16_B374D848), ReceiveLimit.Parse("16/B374D848").Lsn);
        Assert.InRange((ReceiveLimit.Parse("90s").Time!.Value - DateTimeOffset.UtcNow).TotalSeconds, 80, 91);
        Assert.Equal(new DateTimeOffset(2030, 1, 15, 12, 30, 0, TimeSpan.Zero), ReceiveLimit.Parse("2030-01-15 14:30:00+02").Time);
        Assert.Contains("neither an LSN", Assert.Throws<FormatException>(() => ReceiveLimit.Parse("nonsense")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void HoweverManyPiecesAreAddedFewAreKeptAndTheyHoldEverything()
    {
        Prop.ForAll(Gen.Choose(1, 3000).ToArbitrary(), count =>
        {
            var ladder = new PieceLadder();
            long written = 0;
            for (int i = 0; i < count; i++)
            {
                ladder.Add(Piece(i, i + 1));
                while (ladder.Due() is { Count: > 0 } due)
                {
                    WalPiece merged = Piece(due.Min(p => p.Start), due.Max(p => p.End));
                    written += merged.End - merged.Start;
                    ladder.Replace(due, merged);
                }
            }
            return WalPieceCover.PrefixOf([.. ladder.Pieces]) == count && ladder.Pieces.Count <= 7 * 5 && written <= 4L * count;
        }).QuickCheckThrowOnFailure();
    }

    private static WalPiece Piece(int start, int end) => new(1, WalSegmentName.Parse(WalSamples.Segment), start, end, new StoredObject($"{start}-{end}", end - start, default));
}
