using PgBackup.Platform;
using PgBackup.Restore.Fetching;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>Pieces land where they belong, whether they go past the page cache, through it, or partly so.</summary>
public sealed class DestinationFileTests
{
    private const int Piece = 2 << 20;

    [Theory]
    [InlineData(0, 3 * Piece)]            // Whole pages all along.
    [InlineData(0, (3 * Piece) + 100)]    // A tail that is no page.
    [InlineData(512, (3 * Piece) + 8192)] // Memory that no page begins at.
    public void PiecesInAnyOrderMakeTheFile(int shift, int length)
    {
        using TempFolder folder = new();
        string path = folder.Combine("file");
        byte[] content = new byte[length];
        new Random(length + shift).NextBytes(content);
        using AlignedBuffer buffer = new();
        using (DestinationFile file = new(path, File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite)))
        {
            for (int offset = length / Piece * Piece; offset >= 0; offset -= Piece)
            {
                int size = Math.Min(Piece, length - offset);
                Span<byte> piece = buffer.Span(Piece + shift).Slice(shift, size);
                content.AsSpan(offset, size).CopyTo(piece);
                file.Write(piece, offset);
            }
        }
        Assert.Equal(content, File.ReadAllBytes(path));
    }

    [Fact]
    public void PiecesAtOddOffsetsLandThereToo()
    {
        using TempFolder folder = new();
        string path = folder.Combine("file");
        using AlignedBuffer buffer = new();
        Span<byte> piece = buffer.Span(Piece);
        new Random(1).NextBytes(piece);
        using (DestinationFile file = new(path, File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite)))
            file.Write(piece, 300);
        byte[] written = File.ReadAllBytes(path);
        Assert.Equal(300 + Piece, written.Length);
        Assert.True(written.AsSpan(300).SequenceEqual(piece));
    }
}
