using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Retention.Garbage;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Retention;

public sealed class RepositoryCleaningTests : IDisposable
{
    private const string Dead = "base_000000010000000000000003";
    private readonly TempFolder _folder = new();
    private readonly string _path;
    private readonly BackupRepository _repository;

    public RepositoryCleaningTests()
    {
        _path = WalgFixture.Named("lz4").CopyTo(_folder, "repo");
        _repository = new BackupRepository(new DirectoryStore(_path), null);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task WhatNothingNeedsIsFoundAndGoes()
    {
        IReadOnlyList<string> before = await NamesAsync();
        Put($"basebackups_005/{Dead}/tar_partitions/part_001.tar.lz4", days: 3);
        Put("pgbackup_v1/dumps/dump_20240101T100000Z_00000001/dump.zst", days: 3);
        Put("wal_005/000000010000000000000001.lz4", days: 3);
        Put("wal_005/000000010000000000000001.00000028.backup.lz4", days: 3);
        await BackupLocks.WriteAsync(_repository, "base_0000000100000000000000AA", new BackupLock(null, DateTimeOffset.UtcNow.AddDays(-3)));

        await using (RepositoryCleaning cleaning = await PrepareAsync(isPreview: false))
        {
            Assert.Equal(
                [(GarbageKind.UnfinishedBackup, Dead), (GarbageKind.UnfinishedDump, "dump_20240101T100000Z_00000001"), (GarbageKind.OrphanedWal, "000000010000000000000001"), (GarbageKind.OrphanedLock, "base_0000000100000000000000AA")],
                cleaning.Items.Select(i => (i.Kind, i.Name)));
            foreach (GarbageItem item in cleaning.Items)
                Assert.True((await cleaning.RemoveAsync(item)).IsRemoved);
        }
        Assert.Equal(before, await NamesAsync());
        await using RepositoryCleaning again = await PrepareAsync(isPreview: false);
        Assert.Empty(again.Items);
        Assert.Equal(3, (await BackupCatalog.ListAsync(_repository)).Count(b => b.Status == BackupStatus.Complete));
    }

    [Fact]
    public async Task WhatIsYoungMayBeWrittenByAProgramWithoutLeases()
    {
        Put($"basebackups_005/{Dead}/tar_partitions/part_001.tar.lz4", days: 3);
        Put($"basebackups_005/{Dead}/tar_partitions/part_002.tar.lz4", days: 0);
        Put("wal_005/000000010000000000000001.lz4", days: 0);
        await using ObjectWriter writer = await _repository.Store.CreateAsync("wal_005/000000010000000000000009.lz4");
        await writer.WriteAsync(new byte[10]);
        await using (RepositoryCleaning cleaning = await PrepareAsync(isPreview: true))
            Assert.Empty(cleaning.Items);
        await Task.Delay(1100);
        await using RepositoryCleaning all = await RepositoryCleaning.PrepareAsync(_repository, TimeSpan.Zero, isPreview: false, OperationLog.None);
        Assert.Equal(
            [(GarbageKind.UnfinishedBackup, Dead), (GarbageKind.UnfinishedObject, "wal_005/")],
            all.Items.Where(i => i.Kind != GarbageKind.OrphanedWal).Select(i => (i.Kind, i.Name)));
        await all.RemoveAsync(all.Items[^1]);
        Assert.DoesNotContain(Directory.GetFiles(Path.Combine(_path, "wal_005")), f => f.Contains(".tmp.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task APreviewTakesNoLease()
    {
        await using (await BackupLease.AcquireAsync(_repository, "a full backup"))
        await using (await PrepareAsync(isPreview: true))
        {
            Assert.NotNull(await BackupLease.CurrentAsync(_repository));
        }
    }

    private Task<RepositoryCleaning> PrepareAsync(bool isPreview) => RepositoryCleaning.PrepareAsync(_repository, RepositoryCleaning.DefaultAge, isPreview, OperationLog.None);

    private void Put(string key, int days)
    {
        string path = Path.Combine(_path, key);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, "content");
        File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddDays(-days));
    }

    private async Task<IReadOnlyList<string>> NamesAsync()
    {
        var names = new List<string>();
        await foreach (StoredObject item in _repository.Store.ListAsync("", recursive: true))
            names.Add(item.Key);
        return [.. names.Order(StringComparer.Ordinal)];
    }
}
