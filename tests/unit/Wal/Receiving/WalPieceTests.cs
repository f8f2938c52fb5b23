using FsCheck;
using FsCheck.Fluent;
using Microsoft.Win32.SafeHandles;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Pieces;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Push;

namespace PgBackup.Tests.Wal.Receiving;

public sealed class WalPieceTests : IDisposable
{
    private const int Size = 1 << 20;

    private static readonly WalSegmentSize s_size = new(Size);
    private static readonly WalSegmentName s_segment = WalSegmentName.Parse(WalSamples.Segment);

    private readonly TempFolder _folder = new();
    private readonly BackupRepository _repository;
    private readonly byte[] _content = WalSamples.SegmentBytes(WalSamples.Segment, Size);

    public WalPieceTests() => _repository = WalSamples.Repository(_folder.Combine("repo"));

    public void Dispose() => _folder.Dispose();

    private async Task PutAsync(int start, int end, BackupRepository? repository = null, byte[]? content = null, ulong cluster = WalSamples.Cluster)
    {
        string path = _folder.Combine("spool");
        File.WriteAllBytes(path, content ?? _content);
        using SafeFileHandle handle = File.OpenHandle(path);
        await WalPieces.PutAsync(repository ?? _repository, cluster, s_segment, s_size, handle, start, end, CancellationToken.None);
    }

    private string[] Objects(string folder = WalPiece.Folder)
    {
        string path = Path.Combine(_repository.Location, folder);
        return Directory.Exists(path) ? Directory.GetFiles(path, "*", SearchOption.AllDirectories) : [];
    }

    private byte[] Padded(int end)
    {
        byte[] expected = new byte[Size];
        _content.AsSpan(0, end).CopyTo(expected);
        return expected;
    }

    private async Task<byte[]> FetchAsync(BackupRepository? repository = null)
    {
        await WalFetch.FetchAsync(repository ?? _repository, WalSamples.Segment, _folder.Combine("out"));
        return File.ReadAllBytes(_folder.Combine("out"));
    }

    [Fact]
    public void NoNameIsTakenForASegment()
    {
        var highest = new WalSegmentName(new TimelineId(0xFFFFFFFF), 0xFFFFFFFF, 0xFF);
        string key = WalPiece.KeyOf(ulong.MaxValue, highest, 0x12345678, 0x3FFFFFFF, CompressionMethod.Zstd);
        Assert.DoesNotMatch("[0-9A-F]{24}", key);
        Assert.True(WalPiece.TryParse(new StoredObject(key, 7, default), out WalPiece? piece));
        Assert.Equal(new WalPiece(ulong.MaxValue, highest, 0x12345678, 0x3FFFFFFF, new StoredObject(key, 7, default)), piece);
        Assert.False(WalPiece.TryParse(new StoredObject(key.Replace("12345678-", "12345678_", StringComparison.Ordinal), 7, default), out _));
        Assert.False(WalPiece.TryParse(new StoredObject(key.Replace(".zst", ".tmp.zst", StringComparison.Ordinal), 7, default), out _));
    }

    [Theory]
    [InlineData(CompressionMethod.Zstd, null)]
    [InlineData(CompressionMethod.Lz4, null)]
    [InlineData(CompressionMethod.None, null)]
    [InlineData(CompressionMethod.Brotli, WalSamples.HexKey)]
    [InlineData(CompressionMethod.None, WalSamples.HexKey)]
    public async Task ASegmentInPiecesIsHandedOutWithZerosBehind(CompressionMethod method, string? key)
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"), method, key);
        await PutAsync(0, 10_000, repository);
        await PutAsync(10_000, 300_000, repository);

        WalFetchResult fetched = await WalFetch.FetchAsync(repository, WalSamples.Segment, _folder.Combine("out"));

        Assert.Equal(Padded(300_000), File.ReadAllBytes(_folder.Combine("out")));
        Assert.Equal(s_size.StartOf(3) + 300_000, fetched.EndLsn);
        Assert.Equal(Size, fetched.Size.Bytes);
        if (key is not null)
            Assert.All(Objects(), path => Assert.DoesNotContain("PGBKWALP", File.ReadAllText(path), StringComparison.Ordinal));
    }

    [Fact]
    public async Task AWholeSegmentGoesBeforePiecesAndAheadNothingIsFetchedFromPieces()
    {
        await PutAsync(0, 10_000);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(
            () => WalFetch.FetchAheadAsync(new WalFileWriter(_repository), WalSamples.Segment, _folder.Combine("out"), null, CancellationToken.None));
        Assert.Equal("WalSegmentNotFound", error.Id);
        Assert.False(File.Exists(_folder.Combine("out")));

        await WalPush.PushAsync(_repository, WalSamples.WriteFile(_folder.Combine("pg_wal"), WalSamples.Segment, _content));

        Assert.Equal(_content, await FetchAsync());
        Assert.Null((await WalFetch.FetchAsync(_repository, WalSamples.Segment, _folder.Combine("out"))).EndLsn);
    }

    [Theory]
    [InlineData(Size, true)]
    [InlineData(Size - 8192, false)]
    public async Task InPlaceOfADamagedSegmentOnlyPiecesAreTakenThatHoldAllOfIt(int end, bool isTaken)
    {
        await PutAsync(0, 500_000);
        await PutAsync(500_000, end);
        await WalPush.PushAsync(_repository, WalSamples.WriteFile(_folder.Combine("pg_wal"), WalSamples.Segment, _content));
        string whole = Directory.GetFiles(Path.Combine(_repository.Location, RepositoryLayout.WalFolder)).Single();
        byte[] stored = File.ReadAllBytes(whole);
        File.WriteAllBytes(whole, stored.AsSpan(0, stored.Length / 2).ToArray());

        if (isTaken)
            Assert.Equal(_content, await FetchAsync());
        else
            Assert.Equal("ObjectDamaged", (await Assert.ThrowsAsync<PgBackupException>(() => FetchAsync())).Id);
        Assert.Equal("ObjectDamaged", (await Assert.ThrowsAsync<PgBackupException>(
            () => WalFetch.FetchAheadAsync(new WalFileWriter(_repository), WalSamples.Segment, _folder.Combine("ahead"), null, CancellationToken.None))).Id);
    }

    [Fact]
    public async Task AGapBetweenPiecesIsTold()
    {
        await PutAsync(8192, 20_000);
        Assert.Equal("WalGapDetected", (await Assert.ThrowsAsync<PgBackupException>(() => FetchAsync())).Id);
        await PutAsync(0, 8000);
        Assert.Equal("WalGapDetected", (await Assert.ThrowsAsync<PgBackupException>(() => FetchAsync())).Id);
        WalInventory inventory = await WalInventory.LoadAsync(_repository);
        Assert.Equal(8000, inventory.TailOf(s_segment)!.Length);
        Assert.Equal("WalGapDetected", (await Assert.ThrowsAsync<PgBackupException>(() => new ArchivedWalSource(_repository, inventory).OpenAsync(s_segment, CancellationToken.None))).Id);
        await PutAsync(7000, 8500);
        Assert.Equal(Padded(20_000), await FetchAsync());
    }

    [Fact]
    public async Task ADamagedPieceIsToldUnlessAnotherHoldsItsBytes()
    {
        await PutAsync(0, 10_000);
        await PutAsync(10_000, 50_000);
        await PutAsync(50_000, 90_000);
        string second = Objects().Single(path => path.Contains("00002710-", StringComparison.Ordinal));
        byte[] stored = File.ReadAllBytes(second);
        File.WriteAllBytes(second, stored.AsSpan(0, stored.Length - 5).ToArray());
        Assert.Equal("ObjectDamaged", (await Assert.ThrowsAsync<PgBackupException>(() => FetchAsync())).Id);
        WalInventory inventory = await WalInventory.LoadAsync(_repository);
        Assert.Equal("ObjectDamaged", (await Assert.ThrowsAsync<PgBackupException>(() => new ArchivedWalSource(_repository, inventory).OpenAsync(s_segment, CancellationToken.None))).Id);

        await PutAsync(9_000, 60_000);
        Assert.Equal(Padded(90_000), await FetchAsync());
    }

    [Fact]
    public async Task APieceUnderAnothersNameIsNotTaken()
    {
        await PutAsync(0, 10_000);
        await PutAsync(10_000, 20_000, content: WalSamples.SegmentBytes(WalSamples.Segment, Size, seed: 9));
        string second = Objects().Single(path => path.Contains("00002710-", StringComparison.Ordinal));
        File.Move(second, second.Replace("00002710-00004E20", "00002710-00004E21", StringComparison.Ordinal));
        Assert.Equal("ObjectDamaged", (await Assert.ThrowsAsync<PgBackupException>(() => FetchAsync())).Id);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task PiecesThatGoWhileTheyAreReadAreNoEndOfTheLog(bool wholeIsThere)
    {
        await PutAsync(0, 10_000);
        await PutAsync(10_000, 50_000);
        WalInventory inventory = await WalInventory.LoadAsync(_repository);
        string whole = WalSamples.WriteFile(_folder.Combine("pg_wal"), WalSamples.Segment, _content);
        // As a receiver does that finishes the segment, between one piece and the next.
        var store = new StoreWithHook(_repository.Store, async key =>
        {
            if (!key.Contains("00002710-", StringComparison.Ordinal))
                return;
            if (wholeIsThere)
                await WalPush.PushAsync(_repository, whole);
            await WalPieces.DeleteAsync(_repository, await WalPieces.ListAsync(_repository, WalSamples.Cluster, s_segment, CancellationToken.None), CancellationToken.None);
        });
        var repository = new BackupRepository(store, null, CompressionMethod.Zstd);
        if (!wholeIsThere)
        {
            PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => FetchAsync(repository));
            Assert.Equal("ObjectChanged", error.Id);
            Assert.True(RestoreCommand.IsPassing(error));
            return;
        }
        Assert.Equal(_content, await FetchAsync(repository));
        foreach (string path in Directory.GetFiles(Path.Combine(_repository.Location, RepositoryLayout.WalFolder)))
            File.Delete(path);
        await PutAsync(0, 10_000);
        await PutAsync(10_000, 50_000);
        await using Stream? read = await new ArchivedWalSource(repository, inventory).OpenAsync(s_segment, CancellationToken.None);
        using var copy = new MemoryStream();
        await read!.CopyToAsync(copy);
        Assert.Equal(_content, copy.ToArray());
    }

    [Fact]
    public async Task PiecesOfTwoClustersAreNotMixedUp()
    {
        await PutAsync(0, 10_000, cluster: 1);
        await PutAsync(0, 20_000);
        Assert.Equal("WalClusterAmbiguous", (await Assert.ThrowsAsync<PgBackupException>(() => FetchAsync())).Id);
    }

    [Fact]
    public async Task LessThanAPageHeaderIsNoTail()
    {
        await PutAsync(0, 39);
        Assert.Null((await WalInventory.LoadAsync(_repository)).TailOf(s_segment));
        Assert.Equal("WalSegmentNotFound", (await Assert.ThrowsAsync<PgBackupException>(() => FetchAsync())).Id);
    }

    [Fact]
    public async Task AWrongKeyIsNoEndOfTheLog()
    {
        await PutAsync(0, 10_000, WalSamples.Repository(_folder.Combine("repo"), CompressionMethod.Zstd, WalSamples.HexKey));
        BackupRepository other = WalSamples.Repository(_folder.Combine("repo"), CompressionMethod.Zstd, WalSamples.HexKey.Replace('0', '9'));
        Assert.Equal("EncryptionKeyInvalid", (await Assert.ThrowsAsync<PgBackupException>(() => FetchAsync(other))).Id);
    }

    [Fact]
    public async Task AnInventoryKnowsTheTailAndReadsIt()
    {
        await PutAsync(0, 10_000);
        await PutAsync(9_000, 30_000);
        WalInventory inventory = await WalInventory.LoadAsync(_repository);

        WalTail tail = Assert.IsType<WalTail>(inventory.TailOf(s_segment));
        Assert.Equal(30_000, tail.Length);
        Assert.False(inventory.Contains(s_segment));
        Assert.Null(inventory.LastOf(s_segment.Timeline, s_size));
        Assert.Equal(s_segment, inventory.NewestOf(s_segment.Timeline, s_size));
        Assert.Equal([s_segment.Timeline], inventory.TimelinesWithPieces);
        Assert.Null(inventory.WithPiecesOf(1).TailOf(s_segment));

        await using Stream? read = await new ArchivedWalSource(_repository, inventory).OpenAsync(s_segment, CancellationToken.None);
        using var copy = new MemoryStream();
        await read!.CopyToAsync(copy);
        Assert.Equal(Padded(30_000), copy.ToArray());

        // The receiver got on since the archive was listed.
        await WalPush.PushAsync(_repository, WalSamples.WriteFile(_folder.Combine("pg_wal"), WalSamples.Segment, _content));
        await WalPieces.DeleteAsync(_repository, await WalPieces.ListAsync(_repository, WalSamples.Cluster, s_segment, CancellationToken.None), CancellationToken.None);
        await using Stream? whole = await new ArchivedWalSource(_repository, inventory).OpenAsync(s_segment, CancellationToken.None);
        copy.SetLength(0);
        await whole!.CopyToAsync(copy);
        Assert.Equal(_content, copy.ToArray());
        Assert.Null((await WalInventory.LoadAsync(_repository)).TailOf(s_segment));
    }

    [Fact]
    public void AnySetOfPiecesGivesExactlyTheBeginningThatItHolds()
    {
        Gen<(int Start, int End)> range = Gen.Choose(0, 40).SelectMany(start => Gen.Choose(1, 12).Select(length => (start * 500, (start + length) * 500)));
        Gen<(int Start, int End)[]> sets = Gen.OneOf(
            range.ArrayOf(),
            range.ArrayOf().Select(some => some.Append((0, 3000)).ToArray()));
        Prop.ForAll(sets.ToArbitrary(), ranges =>
        {
            string root = _folder.Combine(Guid.NewGuid().ToString("N"));
            BackupRepository repository = WalSamples.Repository(root, CompressionMethod.None);
            foreach ((int start, int end) in ranges)
                PutAsync(start, end, repository).GetAwaiter().GetResult();
            bool[] held = new bool[30_000];
            foreach ((int start, int end) in ranges)
                held.AsSpan(start, end - start).Fill(true);
            int expected = held.AsSpan().IndexOf(false);
            using SafeFileHandle target = File.OpenHandle(_folder.Combine("assembled"), FileMode.Create, FileAccess.ReadWrite);
            WalPiecePrefix? assembled = WalPieceReader.AssembleAsync(
                repository, WalSamples.Cluster, s_segment, target, OperationLog.None, CancellationToken.None).GetAwaiter().GetResult();
            byte[] read = new byte[RandomAccess.GetLength(target)];
            RandomAccess.Read(target, read, 0);
            Directory.Delete(root, recursive: true);
            return expected == (assembled?.End ?? 0) && read.AsSpan().SequenceEqual(_content.AsSpan(0, expected));
        }).QuickCheckThrowOnFailure();
    }
}
