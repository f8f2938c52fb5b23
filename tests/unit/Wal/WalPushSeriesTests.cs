using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Push;

namespace PgBackup.Tests.Wal;

public sealed class WalPushSeriesTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly BackupRepository _repository;
    private readonly string _source;

    public WalPushSeriesTests()
    {
        _source = Directory.CreateDirectory(_folder.Combine("pg_wal")).FullName;
        _repository = WalSamples.Repository(_folder.Combine("repo"), CompressionMethod.Zstd, null);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task AllAreStoredAndToldInOrder()
    {
        string[] names = Names(11);
        string[] paths = [.. names.Select(name => WalSamples.WriteSegment(_source, name))];

        List<WalPushResult> results = [];
        await foreach (WalPushResult result in WalPushSeries.PushAsync(_repository, paths))
            results.Add(result);

        Assert.Equal(names, results.Select(r => r.Name));
        Assert.All(results, static r => Assert.Equal(WalPushStatus.Stored, r.Status));
        Assert.Equal(names.Select(static n => n + ".zst"), WalSamples.Names(_repository).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task TheFirstFailureInOrderEndsIt()
    {
        string[] names = Names(20);
        string[] paths = [.. names.Select(name => WalSamples.WriteSegment(_source, name))];
        File.WriteAllBytes(paths[5], new byte[1 << 20]);
        File.WriteAllBytes(paths[6], new byte[1 << 20]);

        List<string> told = [];
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(async () =>
        {
            await foreach (WalPushResult result in WalPushSeries.PushAsync(_repository, paths))
                told.Add(result.Name);
        });

        Assert.Equal("WalFileInvalid", error.Id);
        Assert.Contains(names[5], error.Message, StringComparison.Ordinal);
        Assert.Equal(names[..5], told);
        // Nothing far behind the failure was begun, and what was begun has ended.
        Assert.DoesNotContain(WalSamples.Names(_repository), name => string.CompareOrdinal(name, names[10]) > 0);
        await foreach (UnfinishedObject left in _repository.Store.ListUnfinishedAsync(""))
            Assert.Fail($"'{left.Key}' is still in flight.");
    }

    private static string[] Names(int count) =>
        [.. Enumerable.Range(1, count).Select(static n => WalSegmentName.Of(new TimelineId(1), (ulong)n, new WalSegmentSize(1 << 20)).ToString())];
}
