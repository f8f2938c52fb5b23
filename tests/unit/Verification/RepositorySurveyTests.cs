using FsCheck;
using FsCheck.Fluent;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;
using PgBackup.Verification.Survey;

namespace PgBackup.Tests.Verification;

/// <summary>The summary of repositories that wal-g wrote, and the counting itself.</summary>
public sealed class RepositorySurveyTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("lz4")]
    [InlineData("zstd-sodium")]
    public async Task WhatWalGWroteIsSummedUp(string name)
    {
        WalgFixture fixture = WalgFixture.Named(name);
        FileInfo[] files = [.. new DirectoryInfo(fixture.RepositoryPath).EnumerateFiles("*", SearchOption.AllDirectories)];

        RepositorySummary summary = await RepositorySurvey.RunAsync(fixture.Open());

        Assert.Equal((1, 2, 0, 0), (summary.FullBackupCount, summary.DeltaBackupCount, summary.UnfinishedBackupCount, summary.DamagedBackupCount));
        Assert.Equal((files.Length, files.Sum(f => f.Length)), (summary.ObjectCount, summary.Size.Bytes));
        Assert.Equal(summary.Size.Bytes, summary.FullBackupSize.Bytes + summary.DeltaBackupSize.Bytes + summary.WalSize.Bytes);
        Assert.Equal((fixture.Backups[0], fixture.Backups[^1]), (summary.OldestBackup, summary.NewestBackup));
        Assert.Equal(6, summary.WalSegmentCount);
        RepositoryTimeline timeline = Assert.Single(summary.Timelines);
        Assert.Equal(("000000010000000000000002", "000000010000000000000007"), (timeline.FirstSegment.ToString(), timeline.LastSegment.ToString()));
        RepositoryLineage lineage = Assert.Single(summary.Lineages);
        Assert.Equal((fixture.SystemIdentifier, "15.18", 3L), (lineage.SystemIdentifier, lineage.ServerVersion, lineage.BackupCount));
        Assert.Null(summary.IsEncrypted); // wal-g does not say.
        Assert.Equal("Directory", summary.Kind);
    }

    [Fact]
    public async Task WhatIsAmissIsCounted()
    {
        WalgFixture fixture = WalgFixture.Named("lz4");
        string root = fixture.CopyTo(_folder);
        File.WriteAllText(Path.Combine(root, $"basebackups_005/{fixture.Backups[2]}_backup_stop_sentinel.json"), "{");
        File.Delete(Path.Combine(root, $"basebackups_005/{fixture.Backups[1]}_backup_stop_sentinel.json"));
        File.WriteAllText(Path.Combine(root, "stray"), "12345");
        Directory.CreateDirectory(Path.Combine(root, "pgbackup_v1"));
        File.WriteAllText(Path.Combine(root, "pgbackup_v1", "identity.json"), "{\"SystemIdentifier\":42,\"PgVersion\":14,\"WalSegmentSize\":16777216,\"RecordedAt\":\"2026-01-01T00:00:00Z\"}");
        File.WriteAllText(Path.Combine(root, "wal_005", "00000002.history.lz4"), "x");
        File.WriteAllText(Path.Combine(root, "wal_005", "000000010000000000000008.lz4.tmp.20260101T101112Z-0a1b2c3d"), "x");

        RepositorySummary summary = await RepositorySurvey.RunAsync(new BackupRepository(new DirectoryStore(root), null));

        Assert.Equal((1, 1, 1, 1), (summary.FullBackupCount, summary.DeltaBackupCount, summary.UnfinishedBackupCount, summary.DamagedBackupCount));
        Assert.Equal((1L, 5L), (summary.OtherObjectCount, summary.OtherSize.Bytes));
        Assert.Equal(1, summary.PrivateObjectCount);
        Assert.Equal(6, summary.WalSegmentCount);
        Assert.Equal((1L, new DateTimeOffset(2026, 1, 1, 10, 11, 12, TimeSpan.Zero)), (summary.UnfinishedUploadCount, summary.OldestUnfinishedUpload));
        Assert.Equal([(42UL, "14", 0L), (fixture.SystemIdentifier, "15.18", 1L)], summary.Lineages.Select(l => (l.SystemIdentifier, l.ServerVersion!, l.BackupCount)));
    }

    [Fact]
    public async Task AMissingRepositoryIsAnError()
    {
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(
            () => RepositorySurvey.RunAsync(new BackupRepository(new DirectoryStore(_folder.Combine("none")), null)));
        Assert.Equal("RepositoryNotFound", error.Id);
    }

    [Fact]
    public void EveryObjectIsCountedOnceWhateverTheOrder()
    {
        string[] keys =
        [
            "basebackups_005/base_000000010000000000000002_backup_stop_sentinel.json", "basebackups_005/base_000000010000000000000002/metadata.json",
            "basebackups_005/base_000000010000000000000002/tar_partitions/part_001.tar.zst", "basebackups_005/base_000000010000000000000004_D_000000010000000000000002/metadata.json",
            "basebackups_005/other.json", "basebackups_005/not-a-backup/x", "wal_005/000000010000000000000003.zst", "wal_005/000000010000000000000004", "wal_005/000000020000000000000004.",
            "wal_005/000000010000000000000004.partial.zst", "wal_005/00000002.history.lz4", "wal_005/000000010000000000000004.00000028.backup.br", "wal_005/000000010000000000000009_delta.lz4",
            "pgbackup_v1/identity.json", "catchup_005/x", "stray",
        ];
        Arbitrary<(int, int)[]> lists = Gen.Choose(0, keys.Length - 1).SelectMany(k => Gen.Choose(0, 1 << 20).Select(s => (k, s))).ArrayOf().ToArbitrary();
        Prop.ForAll(lists, items =>
        {
            RepositoryTally tally = Count(items), reversed = Count(items.Reverse());
            long[] sums = [tally.Size, tally.WalSize, tally.PrivateSize, tally.OtherSize, tally.Backups.Sum(b => b.Size), tally.Timelines.Sum(t => t.Count)];
            return sums.SequenceEqual([reversed.Size, reversed.WalSize, reversed.PrivateSize, reversed.OtherSize, reversed.Backups.Sum(b => b.Size), reversed.Timelines.Sum(t => t.Count)])
                && sums[0] == items.Sum(i => (long)i.Item2)
                && sums[0] == sums[1] + sums[2] + sums[3] + sums[4]
                && sums[5] == items.Count(i => i.Item1 is >= 6 and <= 8);
        }).QuickCheckThrowOnFailure();

        RepositoryTally Count(IEnumerable<(int Key, int Size)> items)
        {
            var tally = new RepositoryTally();
            foreach ((int key, int size) in items)
                tally.Add(new StoredObject(keys[key], size, DateTimeOffset.UnixEpoch));
            return tally;
        }
    }

    [Fact]
    public void AMillionSegmentsAndTenThousandBackupsNeedLittleMemory()
    {
        var tally = new RepositoryTally();
        StoredObject[] wal = [.. Enumerable.Range(0, 10_000).Select(i => new StoredObject($"wal_005/00000001{i >> 8:X8}{i & 255:X8}.zst", 1000, DateTimeOffset.UnixEpoch))];
        StoredObject[] backups =
            [.. wal.Select(w => w with { Key = $"basebackups_005/base_{w.Key[8..32]}_backup_stop_sentinel.json" })];
        tally.Add(wal[0]);

        long start = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000_000; i++)
            tally.Add(wal[i % wal.Length]);
        long ofWal = GC.GetAllocatedBytesForCurrentThread() - start;
        foreach (StoredObject backup in backups)
            tally.Add(backup);
        long all = GC.GetAllocatedBytesForCurrentThread() - start;

        Assert.Equal(1_010_001, tally.Count);
        Assert.Equal(10_000, tally.Backups.Count);
        Assert.InRange(ofWal, 0, 64 << 10);
        Assert.InRange(all, 0, 40 << 20);
    }
}
