using System.Diagnostics;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Wal.Integrity;

namespace PgBackup.Tests.Wal.Integrity;

/// <summary>An archive of a million segments: one listing, a few words each, and seconds.</summary>
public sealed class MillionNamesTests
{
    private const int Count = 1_000_000;

    [Fact]
    public async Task AMillionNamesTakeOneListingAndLittleMemory()
    {
        DateTimeOffset stored = DateTimeOffset.UtcNow.AddDays(-1);
        var store = new MemoryStore
        {
            // Every ten-thousandth is missing.
            Listed = () => Enumerable.Range(1, Count).Where(n => n % 10_000 != 5000).Select(n => new StoredObject(
                RepositoryLayout.WalFolder + WalSegmentName.Of(TimelineId.First, (ulong)n, WalSegmentSize.Default) + ".zst", 1000, stored)),
        };
        var repository = new BackupRepository(store, null);
        Stopwatch listing = Stopwatch.StartNew();
        await WalInventory.LoadAsync(repository);
        TimeSpan listed = listing.Elapsed;
        int before = store.Calls;
        long memory = GC.GetTotalMemory(forceFullCollection: true);
        Stopwatch watch = Stopwatch.StartNew();
        WalArchiveCheck check = Assert.Single(await WalArchiveChecker.RunAsync(repository, new WalCheckOptions()).ToListAsync());
        TimeSpan took = watch.Elapsed;
        long held = GC.GetTotalMemory(forceFullCollection: false) - memory;

        Assert.Equal(Count, check.Count);
        Assert.Equal(100, check.MissingCount);
        Assert.Equal(201, check.Ranges.Count);
        Assert.Equal(WalCheckStatus.Failure, check.Status);
        Assert.InRange(store.Calls - before, 1000, 1100);
        Assert.True(took - listed < TimeSpan.FromSeconds(5), $"{took} of which listing {listed}");
        Assert.True(held < 300 << 20, $"{held >> 20} MB");
        GC.KeepAlive(check);
    }
}
