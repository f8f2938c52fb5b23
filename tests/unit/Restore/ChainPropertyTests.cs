using FsCheck;
using FsCheck.Fluent;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Repository;
using PgBackup.Restore.Fetching;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>
/// Chains of every shape that the format allows: a full backup and up to five deltas with pages at random, files that shrink, grow, are rewritten, left out, vanish and come
/// back. Restored newest first they give what wal-g's way, forward, gives; and no page is written twice.
/// </summary>
public sealed class ChainPropertyTests
{
    private const int Page = StoredFile.PageSize;

    [Theory]
    [InlineData(true, 60)]
    [InlineData(false, 40)]
    public void NewestFirstGivesWhatForwardGives(bool indexed, int rounds) =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed => CheckAsync(seed, indexed).GetAwaiter().GetResult()).Check(Config.QuickThrowOnFailure.WithMaxTest(rounds));

    [Fact]
    public async Task WhatNewerBackupsCoverIsNotFetchedFromTheBase()
    {
        using TempFolder folder = new();
        var repository = new BackupRepository(new DirectoryStore(folder.Combine("repo")), null);
        byte[] first = Bytes(1, 8 * Page), second = Bytes(2, 8 * Page);
        // Pages 0 to 5 are new, 6 and 7 were cut off and are zero again: nothing of the base counts.
        await new SyntheticBackup(repository, SyntheticBackup.NameOf(0), new Random(3)).WriteAsync([new StoredFile("/base/5/1", first, null, 5)], indexed: true);
        await new SyntheticBackup(repository, SyntheticBackup.NameOf(1), new Random(3)).WriteAsync([new StoredFile("/base/5/1", null, (6 * Page, [0, 2, 4], Pages(second, 0, 2, 4)), 6)], indexed: true);
        await new SyntheticBackup(repository, SyntheticBackup.NameOf(2), new Random(3)).WriteAsync([new StoredFile("/base/5/1", null, (8 * Page, [1, 2, 3, 5], Pages(second, 1, 2, 3, 5)), 7)], indexed: true);
        BackupName[] chain = [SyntheticBackup.NameOf(0), SyntheticBackup.NameOf(1), SyntheticBackup.NameOf(2)];
        // What is not read may be anything.
        foreach (string part in Directory.GetFiles(folder.Combine("repo", RepositoryLayout.PartFolder(chain[0])), "part_*"))
            await File.WriteAllBytesAsync(part, new byte[new FileInfo(part).Length]);
        await FetchTests.FetchAsync(repository, chain.Select(n => n.Text), folder.Combine("data"));
        second.AsSpan(6 * Page).Clear();
        Assert.Equal(second, await File.ReadAllBytesAsync(folder.Combine("data", "base", "5", "1")));
        Assert.Equal(7, Posix.FactsOf(folder.Combine("data", "base", "5", "1"))!.Value.Modified.ToNanoseconds());
    }

    [Theory]
    [InlineData(10)]                 // Within the header.
    [InlineData(18)]                 // Within the block numbers.
    [InlineData(16 + 12 + 100)]      // Within a page.
    public async Task AnIncrementThatIsCutWhereItMustNotIsDamaged(int cut)
    {
        using TempFolder folder = new();
        var repository = new BackupRepository(new DirectoryStore(folder.Combine("repo")), null);
        await new SyntheticBackup(repository, SyntheticBackup.NameOf(0), new Random(3)).WriteAsync([new StoredFile("/base/5/1", Bytes(1, 8 * Page), null, 5)], indexed: true);
        await new SyntheticBackup(repository, SyntheticBackup.NameOf(1), new Random(3)) { HeaderCut = cut }
            .WriteAsync([new StoredFile("/base/5/1", null, (8 * Page, [0, 2, 4], Bytes(2, 3 * Page)), 6)], indexed: true);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(
            () => FetchTests.FetchAsync(repository, [SyntheticBackup.NameOf(0).Text, SyntheticBackup.NameOf(1).Text], folder.Combine("data")));
        Assert.Equal("BackupDamaged", error.Id);
        Assert.Contains("/base/5/1", error.Message, StringComparison.Ordinal);
    }

    private static async Task CheckAsync(int seed, bool indexed)
    {
        var random = new Random(seed);
        using TempFolder folder = new();
        var repository = new BackupRepository(new DirectoryStore(folder.Combine("repo")), null);
        var state = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        var times = new Dictionary<string, long>(StringComparer.Ordinal);
        var chain = new List<BackupName>();
        var incremented = new HashSet<string>(StringComparer.Ordinal);
        int deltas = random.Next(6);
        for (int level = 0; level <= deltas; level++)
        {
            List<StoredFile> files = [.. Enumerable.Range(1, 8).Select(n => Next(random, $"/base/5/{n}", state, level)).OfType<StoredFile>()];
            state = files.ToDictionary(f => f.Name, f => f.ApplyTo(state.GetValueOrDefault(f.Name)), StringComparer.Ordinal);
            bool hasIndex = indexed && random.Next(4) != 0; // A chain may have been begun by another writer.
            foreach (StoredFile file in files.Where(f => !f.IsSkipped))
                times[file.Name] = hasIndex ? file.Modified : file.Modified / 1_000_000_000 * 1_000_000_000; // A tar knows seconds.
            incremented.UnionWith(files.Where(f => f.Increment is not null).Select(f => f.Name));
            incremented.IntersectWith(files.Where(f => f.Whole is null).Select(f => f.Name));
            chain.Add(SyntheticBackup.NameOf(level));
            await new SyntheticBackup(repository, chain[^1], random) { RandomAccess = random.Next(3) != 0 }.WriteAsync(files, hasIndex);
        }

        var written = new Dictionary<string, int[]>(StringComparer.Ordinal);
        string target = folder.Combine("data");
        await FetchAsync(repository, chain, target, written);
        await CheckTreeAsync(target, state, times, seed);
        foreach (string file in state.Keys.Where(incremented.Contains))
            Assert.All(written.GetValueOrDefault(target + file, []), count => Assert.InRange(count, 0, 1));

        Spoil(target, random);
        await FetchAsync(repository, chain, target, written, inPlace: true);
        await CheckTreeAsync(target, state, times, seed);
    }

    private static async Task CheckTreeAsync(string target, Dictionary<string, byte[]> state, Dictionary<string, long> times, int seed)
    {
        string[] restored = [.. Directory.GetFiles(Path.Combine(target, "base", "5")).Select(f => "/base/5/" + Path.GetFileName(f)).Order(StringComparer.Ordinal)];
        Assert.Equal(state.Keys.Order(StringComparer.Ordinal), restored);
        foreach ((string file, byte[] content) in state)
        {
            string path = target + file;
            byte[] actual = await File.ReadAllBytesAsync(path);
            Assert.True(actual.AsSpan().SequenceEqual(content), $"{file} differs (seed {seed}).");
            FileTime modified = Posix.FactsOf(path)!.Value.Modified;
            Assert.Equal(times[file], times[file] % 1_000_000_000 == 0 ? modified.Seconds * 1_000_000_000 : modified.ToNanoseconds());
        }
    }

    /// <summary>What may become of a data directory: pages written, files longer, shorter, gone, others there.</summary>
    private static void Spoil(string target, Random random)
    {
        foreach (string file in Directory.GetFiles(Path.Combine(target, "base", "5")))
        {
            byte[] content = File.ReadAllBytes(file);
            int fate = random.Next(6);
            if (fate == 0)
                File.Delete(file);
            else if (fate == 1)
                File.WriteAllBytes(file, Bytes(random.Next(), random.Next(20 * Page)));
            else if (fate == 2)
                File.WriteAllBytes(file, content[..random.Next(content.Length + 1)]);
            else if (fate == 3)
                File.WriteAllBytes(file, [.. content, .. Bytes(random.Next(), random.Next(3 * Page))]);
            else if (fate == 4 && content.Length > 0)
                File.WriteAllBytes(file, [.. content[..(content.Length / 2)], (byte)~content[content.Length / 2], .. content[((content.Length / 2) + 1)..]]);
        }
        File.WriteAllBytes(Path.Combine(target, "base", "5", "999"), Bytes(1, 100));
        Directory.CreateDirectory(Path.Combine(target, "base", "6"));
        File.WriteAllBytes(Path.Combine(target, "base", "6", "1"), Bytes(1, 100));
    }

    private static async Task FetchAsync(BackupRepository repository, List<BackupName> chain, string target, Dictionary<string, int[]> written, bool inPlace = false)
    {
        void Count(string path, long offset, int length)
        {
            lock (written)
            {
                int[] counts = written.GetValueOrDefault(path) ?? (written[path] = new int[64]);
                for (long page = offset / Page; page * Page < offset + length; page++)
                    counts[page]++;
            }
        }
        using var destination = new RestoreDestination(target, [], null) { OnWrite = Count, InPlace = inPlace };
        destination.Prepare("test");
        var progress = new FetchProgress("test", null, NoProgress.Instance, OperationLog.None);
        await new BackupFetcher(repository, destination, 3, progress, OperationLog.None).FetchAsync(chain, default);
        destination.Complete(default);
    }

    /// <summary>What becomes of a file from one backup to the next; null when it is not there.</summary>
    private static StoredFile? Next(Random random, string name, Dictionary<string, byte[]> state, int level)
    {
        bool isThere = state.ContainsKey(name);
        long modified = (1_700_000_000L + level) * 1_000_000_000 + random.Next(1_000_000_000);
        int fate = random.Next(10);
        if (fate == 0)
            return null;
        if (!isThere || fate == 1)
            return new StoredFile(name, Bytes(random.Next(), (random.Next(14) * Page) + (random.Next(5) == 0 ? random.Next(Page) : 0)), null, modified);
        if (fate <= 4)
            return new StoredFile(name, null, null, modified);
        int pages = random.Next(3) switch { 0 => 0, 1 => random.Next(14), _ => (state[name].Length + Page - 1) / Page };
        uint[] blocks = [.. Enumerable.Range(0, pages).Where(_ => random.Next(3) == 0).Select(b => (uint)b)];
        return new StoredFile(name, null, (pages * (long)Page, blocks, Bytes(random.Next(), blocks.Length * Page)), modified);
    }

    private static byte[] Bytes(int seed, int length)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static byte[] Pages(byte[] content, params int[] pages) => [.. pages.SelectMany(p => content.AsSpan(p * Page, Page).ToArray())];
}
