using Microsoft.Win32.SafeHandles;
using PgBackup.Repository;
using PgBackup.Repository.Pieces;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Receiving;

namespace PgBackup.Tests.Wal.Receiving;

/// <summary>Pieces of a segment that is there whole: they go when the whole one has their bytes, and only then.</summary>
public sealed class PieceLeftoversTests : IDisposable
{
    private const int Size = 1 << 20;

    private static readonly WalSegmentName s_segment = WalSegmentName.Parse(WalSamples.Segment);

    private readonly TempFolder _folder = new();
    private readonly BackupRepository _repository;
    private readonly byte[] _content = WalSamples.SegmentBytes(WalSamples.Segment, Size);

    public PieceLeftoversTests() => _repository = WalSamples.Repository(_folder.Combine("repo"));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task PiecesOfAWholeSegmentGoAndThoseOfAnUnfinishedOneStay()
    {
        await PutAsync(s_segment, 0, 10_000);
        await PutAsync(s_segment, 9_000, 300_000);
        WalSegmentName next = s_segment.NextFor(new WalSegmentSize(Size));
        await PutAsync(next, 0, 10_000, WalSamples.SegmentBytes(next.ToString(), Size));
        StoreWhole(_content);

        Assert.Empty(await RemoveAsync());

        Assert.Equal(next, Assert.Single(await PiecesAsync()).Segment);
    }

    [Theory]
    [InlineData("differs", "differs from them")]
    [InlineData("differs at the end", "differs from them")]
    [InlineData("short", "is shorter than they are")]
    [InlineData("damaged", "is damaged")]
    public async Task PiecesThatTheWholeSegmentDoesNotHoldStayAndAreToldOf(string kind, string words)
    {
        // More than is compared at once.
        await PutAsync(s_segment, 0, 100_000);
        await PutAsync(s_segment, 100_000, 600_000);
        byte[] whole = [.. _content];
        string extension = "";
        switch (kind)
        {
            case "differs":
                whole = WalSamples.SegmentBytes(WalSamples.Segment, Size, seed: 9);
                break;
            case "differs at the end":
                whole[599_999] ^= 1;
                break;
            case "short":
                whole = whole[..599_999];
                break;
            case "damaged":
                extension = ".zst";
                break;
        }
        StoreWhole(whole, extension);

        string warning = Assert.Single(await RemoveAsync());

        Assert.Contains($"The pieces of {s_segment} stay in the repository", warning, StringComparison.Ordinal);
        Assert.Contains(words, warning, StringComparison.Ordinal);
        Assert.Equal(2, (await PiecesAsync()).Count);
    }

    /// <summary>What lies behind the pieces is no matter: they are the segment's beginning.</summary>
    [Fact]
    public async Task TheSegmentMayGoOnOtherwiseBehindThem()
    {
        await PutAsync(s_segment, 0, 400_000);
        byte[] whole = [.. _content];
        whole[400_000] ^= 1;
        StoreWhole(whole);
        Assert.Empty(await RemoveAsync());
        Assert.Empty(await PiecesAsync());
    }

    [Fact]
    public async Task PiecesOfAnotherClusterAreLeftAlone()
    {
        await PutAsync(s_segment, 0, 10_000, cluster: 4711);
        StoreWhole(_content);
        Assert.Empty(await RemoveAsync());
        Assert.Equal(4711ul, Assert.Single(await PiecesAsync()).SystemIdentifier);
    }

    private async Task<IReadOnlyList<string>> RemoveAsync()
    {
        var log = new WarningLog();
        await PieceLeftovers.RemoveAsync(_repository, WalSamples.Cluster, await WalInventory.LoadAsync(_repository), log, CancellationToken.None);
        return log.Warnings;
    }

    private void StoreWhole(byte[] content, string extension = "") =>
        WalSamples.WriteFile(Path.Combine(_repository.Location, RepositoryLayout.WalFolder), WalSamples.Segment + extension, content);

    private async Task PutAsync(WalSegmentName segment, int start, int end, byte[]? content = null, ulong cluster = WalSamples.Cluster)
    {
        string path = _folder.Combine("spool");
        File.WriteAllBytes(path, content ?? _content);
        using SafeFileHandle handle = File.OpenHandle(path);
        await WalPieces.PutAsync(_repository, cluster, segment, new WalSegmentSize(Size), handle, start, end, CancellationToken.None);
    }

    private async Task<List<WalPiece>> PiecesAsync()
    {
        var found = new List<WalPiece>();
        await foreach (WalPiece piece in WalPieces.ListAsync(_repository))
            found.Add(piece);
        return found;
    }
}
