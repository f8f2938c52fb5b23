using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Restore.Fetching;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>Files of several regions, whose increments wait for the base and are laid over it.</summary>
public sealed class FileOverlayTests
{
    private const int Page = StoredFile.PageSize;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task FilesOfSeveralRegionsArePutTogether(int seed)
    {
        using TempFolder folder = new();
        var repository = new BackupRepository(new DirectoryStore(folder.Combine("repo")), null);
        List<StoredFile>[] levels = Levels(seed);
        await WriteAsync(repository, levels, seed);
        var expected = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (StoredFile file in levels.SelectMany(static l => l))
            expected[file.Name] = file.ApplyTo(expected.GetValueOrDefault(file.Name));

        var writes = new List<(string Path, long Offset, int Length)>();
        string target = folder.Combine("data");
        await FetchAsync(repository, target, (path, offset, length) =>
        {
            lock (writes)
                writes.Add((path, offset, length));
        });
        foreach ((string name, byte[] content) in expected)
        {
            byte[] actual = await File.ReadAllBytesAsync(target + name);
            Assert.True(content.AsSpan().SequenceEqual(actual), name);
            int[] counts = new int[2048];
            foreach ((_, long offset, int length) in writes.Where(w => w.Path == target + name))
            {
                for (long page = offset / Page; page * Page < offset + length; page++)
                    counts[page]++;
            }
            Assert.All(counts, static count => Assert.InRange(count, 0, 1));
        }
        // Scattered pages of two deltas, in one piece.
        Assert.Contains((target + "/base/5/1", (long)FileOverlay.RegionSize, FileOverlay.RegionSize), writes);
    }

    [Fact]
    public async Task ADeltaThatIsDamagedIsToldWhenItsPagesAreFetched()
    {
        using TempFolder folder = new();
        var repository = new BackupRepository(new DirectoryStore(folder.Combine("repo")), null);
        await WriteAsync(repository, Levels(1), 1);
        foreach (string part in Directory.GetFiles(folder.Combine("repo", RepositoryLayout.PartFolder(SyntheticBackup.NameOf(1))), "part_*"))
        {
            byte[] content = await File.ReadAllBytesAsync(part);
            content[content.Length / 2] ^= 1;
            await File.WriteAllBytesAsync(part, content);
        }
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => FetchAsync(repository, folder.Combine("data"), null));
        Assert.Equal("BackupDamaged", error.Id);
        Assert.Contains(SyntheticBackup.NameOf(1).Text, error.Message, StringComparison.Ordinal);
    }

    private static List<StoredFile>[] Levels(int seed)
    {
        var random = new Random(seed);
        return
        [
            [
                new StoredFile("/base/5/1", Bytes(random, (2 * Page) + 100), null, 1),
                new StoredFile("/base/5/2", Bytes(random, 1400 * Page), null, 1),
                new StoredFile("/base/5/3", [], null, 1),
            ],
            [
                Increment(random, "/base/5/1", 1400, static p => p == 2 || p % 3 == 0),
                Increment(random, "/base/5/2", 700, static p => p % 2 == 0),
                Increment(random, "/base/5/3", 1300, static p => p == 1299),
            ],
            [
                Increment(random, "/base/5/1", 1300, static p => p is >= 512 and < 1024 && (p is 512 or 1023 || p % 3 == 1)),
                Increment(random, "/base/5/2", 1500, static p => p >= 500 && p % 2 == 1),
                new StoredFile("/base/5/3", null, null, 3),
            ],
        ];
    }

    private static StoredFile Increment(Random random, string name, int pages, Func<int, bool> holds)
    {
        uint[] blocks = [.. Enumerable.Range(0, pages).Where(holds).Select(static p => (uint)p)];
        return new StoredFile(name, null, (pages * (long)Page, blocks, Bytes(random, blocks.Length * Page)), 2);
    }

    private static byte[] Bytes(Random random, int length)
    {
        byte[] bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }

    private static async Task WriteAsync(BackupRepository repository, List<StoredFile>[] levels, int seed)
    {
        for (int i = 0; i < levels.Length; i++)
            await new SyntheticBackup(repository, SyntheticBackup.NameOf(i), new Random(seed + i)).WriteAsync(levels[i], indexed: true);
    }

    private static async Task FetchAsync(BackupRepository repository, string target, Action<string, long, int>? onWrite)
    {
        using var destination = new RestoreDestination(target, [], null) { OnWrite = onWrite };
        destination.Prepare("test");
        var progress = new FetchProgress("test", null, NoProgress.Instance, OperationLog.None);
        await new BackupFetcher(repository, destination, 3, progress, OperationLog.None).FetchAsync([.. Enumerable.Range(0, 3).Select(SyntheticBackup.NameOf)], default);
        destination.Complete(default);
    }
}
