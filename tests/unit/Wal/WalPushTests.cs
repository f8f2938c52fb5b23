using System.Text;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Push;

namespace PgBackup.Tests.Wal;

public sealed class WalPushTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly BackupRepository _repository;
    private readonly string _source;

    public WalPushTests()
    {
        _repository = WalSamples.Repository(_folder.Combine("repo"));
        _source = _folder.Combine("pg_wal");
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(CompressionMethod.Zstd, null, ".zst")]
    [InlineData(CompressionMethod.Lz4, null, ".lz4")]
    [InlineData(CompressionMethod.Brotli, null, ".br")]
    [InlineData(CompressionMethod.None, null, "")]
    [InlineData(CompressionMethod.Zstd, WalSamples.HexKey, ".zst")]
    [InlineData(CompressionMethod.None, WalSamples.HexKey, "")]
    public async Task ASegmentComesBackAsItWas(CompressionMethod method, string? key, string extension)
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"), method, key);
        string path = WalSamples.WriteSegment(_source, size: 16 << 20);

        WalPushResult result = await WalPush.PushAsync(repository, path);

        Assert.Equal(WalPushStatus.Stored, result.Status);
        Assert.Equal(WalSamples.Segment, result.Name);
        Assert.Equal(WalFileKind.Segment, result.Kind);
        Assert.Equal(16 << 20, result.Size.Bytes);
        Assert.Equal([WalSamples.Segment + extension], WalSamples.Names(repository));
        Assert.Equal(new FileInfo(WalSamples.ObjectPath(repository, WalSamples.Segment + extension)).Length, result.StoredSize.Bytes);
        string target = _folder.Combine("RECOVERYXLOG");
        WalFetchResult fetched = await WalFetch.FetchAsync(repository, WalSamples.Segment, target);
        Assert.Equal(16 << 20, fetched.Size.Bytes);
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(target));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    public async Task OtherSegmentSizesPass(int megabytes)
    {
        string name = WalSegmentName.Of(new TimelineId(2), 70, new WalSegmentSize(megabytes << 20)).ToString();
        await WalPush.PushAsync(_repository, WalSamples.WriteSegment(_source, name, megabytes << 20));
        await WalFetch.FetchAsync(_repository, name, _folder.Combine("out"));
        Assert.Equal(megabytes << 20, new FileInfo(_folder.Combine("out")).Length);
    }

    [Fact]
    public async Task TheSameContentAgainSucceedsWhateverTheCodecAndTheCiphertext()
    {
        string path = WalSamples.WriteSegment(_source);
        BackupRepository lz4 = WalSamples.Repository(_folder.Combine("enc"), CompressionMethod.Lz4, WalSamples.HexKey);
        BackupRepository zstd = WalSamples.Repository(_folder.Combine("enc"), CompressionMethod.Zstd, WalSamples.HexKey);
        await WalPush.PushAsync(lz4, path);
        byte[] before = File.ReadAllBytes(WalSamples.ObjectPath(lz4, WalSamples.Segment + ".lz4"));

        Assert.Equal(WalPushStatus.AlreadyStored, (await WalPush.PushAsync(lz4, path)).Status);
        Assert.Equal(WalPushStatus.AlreadyStored, (await WalPush.PushAsync(zstd, path)).Status);

        Assert.Equal([WalSamples.Segment + ".lz4"], WalSamples.Names(zstd));
        Assert.Equal(before, File.ReadAllBytes(WalSamples.ObjectPath(lz4, WalSamples.Segment + ".lz4")));
    }

    [Theory]
    [InlineData(CompressionMethod.Zstd)]
    [InlineData(CompressionMethod.Lz4)]
    public async Task OtherContentIsRefusedUnderEveryExtension(CompressionMethod second)
    {
        await WalPush.PushAsync(_repository, WalSamples.WriteSegment(_source));
        byte[] before = File.ReadAllBytes(WalSamples.ObjectPath(_repository, WalSamples.Segment + ".zst"));
        string other = WalSamples.WriteSegment(_folder.Combine("other"), seed: 2);

        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(
            () => WalPush.PushAsync(WalSamples.Repository(_folder.Combine("repo"), second), other));

        Assert.Equal("WalContentConflict", error.Id);
        Assert.Equal([WalSamples.Segment + ".zst"], WalSamples.Names(_repository));
        Assert.Equal(before, File.ReadAllBytes(WalSamples.ObjectPath(_repository, WalSamples.Segment + ".zst")));
    }

    [Fact]
    public async Task HistoryAndBackupFilesAreKeptAndNeverOverwritten()
    {
        string history = WalSamples.WriteFile(_source, "00000002.history", "1\t0/3000098\tno recovery target specified\n"u8);
        string label = WalSamples.WriteFile(_source, WalSamples.Segment + ".00000028.backup", "START WAL LOCATION: 0/3000028 (file 000000010000000000000003)\n"u8);
        Assert.Equal(WalFileKind.History, (await WalPush.PushAsync(_repository, history)).Kind);
        Assert.Equal(WalFileKind.BackupHistory, (await WalPush.PushAsync(_repository, label)).Kind);
        Assert.Equal(WalPushStatus.AlreadyStored, (await WalPush.PushAsync(_repository, history)).Status);

        string other = WalSamples.WriteFile(_folder.Combine("other"), "00000002.history", "1\t0/4000098\tno recovery target specified\n"u8);
        Assert.Equal("WalContentConflict", (await Assert.ThrowsAsync<PgBackupException>(() => WalPush.PushAsync(_repository, other))).Id);

        await WalFetch.FetchAsync(_repository, "00000002.history", _folder.Combine("RECOVERYHISTORY"));
        Assert.Equal(File.ReadAllBytes(history), File.ReadAllBytes(_folder.Combine("RECOVERYHISTORY")));
    }

    [Fact]
    public async Task APartialSegmentIsAFileOfItsOwn()
    {
        string partial = WalSamples.WriteSegment(_source, WalSamples.Segment + ".partial", seed: 5);
        string whole = WalSamples.WriteSegment(_source);
        Assert.Equal(WalPushStatus.Stored, (await WalPush.PushAsync(_repository, partial)).Status);
        Assert.Equal(WalPushStatus.Stored, (await WalPush.PushAsync(_repository, whole)).Status);
        Assert.Equal(2, WalSamples.Names(_repository).Length);
    }

    [Fact]
    public async Task TheFirstSegmentOfATimelineMayBeginWithPagesOfItsParent()
    {
        const string Name = "000000030000000000000003";
        await WalPush.PushAsync(_repository, WalSamples.WriteFile(_source, Name, WalSamples.SegmentBytes(Name, pageTimeline: 1)));
        string wrong = WalSamples.WriteFile(_source, WalSamples.Segment, WalSamples.SegmentBytes(pageTimeline: 2));
        Assert.Equal("WalFileInvalid", (await Assert.ThrowsAsync<PgBackupException>(() => WalPush.PushAsync(_repository, wrong))).Id);
    }

    public static TheoryData<string, byte[]> FalseFiles => new()
    {
        { WalSamples.Segment, WalSamples.SegmentBytes()[..^8192] },
        { WalSamples.Segment, [.. WalSamples.SegmentBytes(), .. new byte[8192]] },
        { WalSamples.Segment, new byte[1 << 20] },
        { WalSamples.Segment, [] },
        { WalSamples.Segment, WalSamples.SegmentBytes("000000010000000000000004") },
        { WalSamples.Segment + ".partial", WalSamples.SegmentBytes()[..100] },
        { "00000002.history", [] },
        { "00000002.history", new byte[64] },
        { "00000002.history", "not a history\n"u8.ToArray() },
        { WalSamples.Segment + ".00000028.backup", "something else"u8.ToArray() },
    };

    [Theory]
    [MemberData(nameof(FalseFiles))]
    public async Task WhatIsNotTheFileOfItsNameIsRefused(string name, byte[] content)
    {
        string path = WalSamples.WriteFile(_source, name, content);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => WalPush.PushAsync(_repository, path));
        Assert.Equal("WalFileInvalid", error.Id);
        Assert.Empty(WalSamples.Names(_repository));
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("00000001000000000000000g")]
    [InlineData("000000010000000000000003.zst")]
    [InlineData("000000000000000000000003")]
    [InlineData("RECOVERYXLOG")]
    [InlineData("00000001000000000000000a")]
    [InlineData("000000010000000000000003\n")]
    [InlineData("-Repository")]
    public async Task OtherNamesAreRefused(string name)
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => WalPush.PushAsync(_repository, _folder.Path + "/" + name));
        Assert.Equal("WalFileNameInvalid", error.Id);
        error = await Assert.ThrowsAsync<PgBackupException>(() => WalFetch.FetchAsync(_repository, name, _folder.Combine("out")));
        Assert.Equal("WalFileNameInvalid", error.Id);
    }

    [Fact]
    public async Task AMissingFileIsNamed()
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => WalPush.PushAsync(_repository, _folder.Combine(WalSamples.Segment)));
        Assert.Equal("WalFileUnreadable", error.Id);
        Assert.Equal(ErrorKind.ObjectNotFound, error.Kind);
    }

    [Fact]
    public async Task AnotherClusterIsRefused()
    {
        await WalPush.PushAsync(_repository, WalSamples.WriteSegment(_source));
        const string Next = "000000010000000000000004";
        string foreign = WalSamples.WriteFile(_source, Next, WalSamples.SegmentBytes(Next, cluster: 42));
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => WalPush.PushAsync(_repository, foreign));
        Assert.Equal("ClusterIdentityMismatch", error.Id);
        Assert.Single(WalSamples.Names(_repository));
    }

    [Fact]
    public async Task ManyPushersAtOnceStoreOneObject()
    {
        string path = WalSamples.WriteSegment(_source, size: 4 << 20);
        WalPushResult[] results = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => WalPush.PushAsync(_repository, path))));
        Assert.Equal(1, results.Count(result => result.Status == WalPushStatus.Stored));
        Assert.Equal(7, results.Count(result => result.Status == WalPushStatus.AlreadyStored));
        Assert.Equal([WalSamples.Segment + ".zst"], WalSamples.Names(_repository));
    }

    [Fact]
    public async Task OfPushersWithDifferentContentExactlyOneSucceeds()
    {
        for (int round = 0; round < 10; round++)
        {
            string name = WalSegmentName.Of(TimelineId.First, (ulong)round + 10, new WalSegmentSize(1 << 20)).ToString();
            string[] paths = [.. Enumerable.Range(0, 4).Select(i => WalSamples.WriteSegment(_folder.Combine($"writer{i}"), name, seed: i))];
            PgBackupException?[] failures = await Task.WhenAll(paths.Select(path => Task.Run(async () =>
                await Record.ExceptionAsync(() => WalPush.PushAsync(_repository, path)) as PgBackupException)));
            Assert.Equal(3, failures.Count(failure => failure?.Id == "WalContentConflict"));
            int winner = Array.FindIndex(failures, failure => failure is null);
            await WalFetch.FetchAsync(_repository, name, _folder.Combine("out"));
            Assert.Equal(File.ReadAllBytes(paths[winner]), File.ReadAllBytes(_folder.Combine("out")));
        }
    }

    [Fact]
    public async Task ACancelledPushLeavesNothing()
    {
        string path = WalSamples.WriteSegment(_source, size: 64 << 20, name: "000000010000000000000000");
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(5));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => WalPush.PushAsync(_repository, path, cancellationToken: stop.Token));
        Assert.Empty(WalSamples.Names(_repository));
        Assert.Equal(WalPushStatus.Stored, (await WalPush.PushAsync(_repository, path)).Status);
    }

    [Fact]
    public void NamesOfWhatIsSetAsideAreNoSegmentsForWalG()
    {
        foreach (string name in new[] { "000000010000000000000003.zst", "0000000A00000000000000FF.partial.lz4", "00000002.history.zst", "000000010000000000000003.00000028.backup.br" })
        {
            string key = WalSetAside.KeyFor(name, DateTimeOffset.UnixEpoch, 0x1a2b3c4d);
            Assert.DoesNotMatch("[0-9A-F]{24}", key);
            Assert.StartsWith("pgbackup_v1/set_aside/", key, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ARepositoryThatIsNotThereIsMadeInAnExistingFolderOnly()
    {
        string path = WalSamples.WriteSegment(_source);
        var fresh = _repository with { Store = new PgBackup.Storage.DirectoryStore(_folder.Combine("fresh")) };
        Assert.Equal(WalPushStatus.Stored, (await WalPush.PushAsync(fresh, path)).Status);
        var lost = _repository with { Store = new PgBackup.Storage.DirectoryStore(_folder.Combine("not", "there")) };
        Assert.Equal("RepositoryNotFound", (await Assert.ThrowsAsync<PgBackupException>(() => WalPush.PushAsync(lost, path))).Id);
        Assert.False(Directory.Exists(_folder.Combine("not")));
    }

    [Fact]
    public async Task ErrorsHoldNoKey()
    {
        BackupRepository encrypted = WalSamples.Repository(_folder.Combine("enc"), CompressionMethod.Zstd, WalSamples.HexKey);
        await WalPush.PushAsync(encrypted, WalSamples.WriteSegment(_source));
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => WalPush.PushAsync(encrypted, WalSamples.WriteSegment(_folder.Combine("o"), seed: 2)));
        var text = new StringBuilder(error.ToString()).Append(error.Hint).ToString();
        Assert.DoesNotContain(WalSamples.HexKey, text, StringComparison.OrdinalIgnoreCase);
    }
}
