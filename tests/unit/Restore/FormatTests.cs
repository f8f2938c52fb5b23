using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;
using PgBackup.Repository;
using PgBackup.Restore.Fetching;
using PgBackup.Restore.Starting;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

public sealed class FormatTests
{
    /// <summary>An increment of random pages on a random file gives the file with those pages, whatever the pieces it comes in.</summary>
    [Fact]
    public void AnIncrementGivesTheFileThatItWasMadeOf()
    {
        using TempFolder folder = new();
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
        {
            var random = new Random(seed);
            int oldPages = random.Next(0, 12), newPages = random.Next(0, 12);
            byte[] old = new byte[oldPages * 8192], current = new byte[newPages * 8192];
            random.NextBytes(old);
            old.AsSpan(0, Math.Min(old.Length, current.Length)).CopyTo(current);
            // Whatever lies beyond the old end has to be in the increment, and some of the rest.
            List<int> changed = [.. Enumerable.Range(0, newPages).Where(p => p >= oldPages || random.Next(3) == 0)];
            foreach (int page in changed)
                random.NextBytes(current.AsSpan(page * 8192, 8192));
            byte[] increment = Increment(current, changed);

            string path = folder.Combine("file");
            using (DestinationFile file = new(path, File.OpenHandle(path, FileMode.Create, FileAccess.Write)))
            {
                file.SetLength(current.Length);
                var ledger = new PageLedger(default);
                var writer = new IncrementWriter(file, increment.Length, ledger.Take);
                for (int at = 0; at < increment.Length;)
                {
                    int piece = Math.Min(increment.Length - at, random.Next(1, 9000));
                    writer.Write(increment.AsSpan(at, piece));
                    at += piece;
                }
                writer.Complete();
                ledger.WriteOpen(file, old, 0);
            }
            Assert.Equal(current, File.ReadAllBytes(path));
        }).QuickCheckThrowOnFailure();
    }

    /// <summary>Cut anywhere, or with blocks out of order, or beyond its file: an increment is refused.</summary>
    [Fact]
    public void ADamagedIncrementIsRefused()
    {
        using TempFolder folder = new();
        byte[] good = Increment(new byte[4 * 8192], [1, 3]);
        Prop.ForAll(Gen.Choose(0, good.Length - 1).ToArbitrary(), length => Assert.Throws<InvalidDataException>(() => Apply(folder, good.AsSpan(0, length).ToArray(), good.Length)))
            .QuickCheckThrowOnFailure();
        Assert.Throws<InvalidDataException>(() => Apply(folder, [.. good, 0], good.Length + 1));
        Assert.Throws<InvalidDataException>(() => Apply(folder, Increment(new byte[4 * 8192], [3, 1]), good.Length));
        byte[] beyond = Increment(new byte[4 * 8192], [1, 3]);
        BinaryPrimitives.WriteUInt64LittleEndian(beyond.AsSpan(4), 2 * 8192);
        Assert.Throws<InvalidDataException>(() => Apply(folder, beyond, beyond.Length));
        byte[] magic = [.. good];
        magic[3] = 0x56;
        Assert.Throws<InvalidDataException>(() => Apply(folder, magic, magic.Length));
    }

    /// <summary>A value that is written to a configuration file is read back as it was.</summary>
    [Fact]
    public void ASettingSurvivesItsQuotes() => Prop.ForAll(ArbMap.Default.ArbFor<NonNull<string>>(), value =>
    {
        string text = value.Get.Replace("\n", "", StringComparison.Ordinal).Replace("\r", "", StringComparison.Ordinal);
        string line = ConfigurationText.Line("restore_command", text);
        Assert.Equal("restore_command", ConfigurationText.NameOf(line));
        Assert.Equal(text, ConfigurationText.ValueOf(line));
    }).QuickCheckThrowOnFailure();

    /// <summary>The list of files is read the same however the store cuts it into pieces, with names that need escapes.</summary>
    [Fact]
    public async Task AListOfFilesIsReadWholeInPieces()
    {
        using TempFolder folder = new();
        var repository = new BackupRepository(new DirectoryStore(folder.Path), null);
        string longName = "/base/1/" + new string('x', 700_000);
        string json = "{\"DatabasesByNames\":{\"Files\":{\"/no\":{\"IsSkipped\":true}}},\"Files\":{\"/base/\\u00e4\":{\"IsIncremented\":true,\"MTime\":\"x\",\"CorruptBlocks\":{\"SomeCorruptBlocks\":[1]}},"
            + $"\"{longName}\":{{\"isskipped\":true}},\"/n\":null,\"/dir\":{{}}}},\"TarFileSets\":{{\"part_001.tar.lz4\":[\"/a\",\"/b\"],\"part_002.tar.lz4\":[]}}}}";
        await File.WriteAllTextAsync(folder.Combine("list.json"), json);
        var files = new List<FileMetadata>();
        var parts = new List<string>();
        Assert.True(await FilesMetadataReader.TryReadAsync(repository, "list.json", files.Add, parts.Add));
        Assert.Equal(
            [new("/base/ä", true, false, "x"), new(longName, false, true), new("/n", false, false), new("/dir", false, false)], files);
        Assert.Equal(["part_001.tar.lz4", "part_002.tar.lz4"], parts);
        Assert.False(await FilesMetadataReader.TryReadAsync(repository, "none.json", files.Add));
    }

    private static void Apply(TempFolder folder, byte[] bytes, int length)
    {
        using DestinationFile file = new(folder.Combine("damaged"), File.OpenHandle(folder.Combine("damaged"), FileMode.Create, FileAccess.Write));
        var writer = new IncrementWriter(file, length, new PageLedger(default).Take);
        writer.Write(bytes);
        writer.Complete();
    }

    private static byte[] Increment(byte[] content, List<int> pages)
    {
        byte[] result = new byte[16 + (pages.Count * (4 + 8192))];
        "wi1U"u8.CopyTo(result);
        BinaryPrimitives.WriteUInt64LittleEndian(result.AsSpan(4), (ulong)content.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(result.AsSpan(12), (uint)pages.Count);
        for (int i = 0; i < pages.Count; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(result.AsSpan(16 + (4 * i)), (uint)pages[i]);
            content.AsSpan(pages[i] * 8192, 8192).CopyTo(result.AsSpan(16 + (4 * pages.Count) + (8192 * i)));
        }
        return result;
    }
}
