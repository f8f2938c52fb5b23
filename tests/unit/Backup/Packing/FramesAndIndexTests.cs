using System.Formats.Tar;
using System.IO.Hashing;
using FsCheck;
using FsCheck.Fluent;
using PgBackup.Codecs;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup.Packing;

/// <summary>Whatever files there are: the parts are tars of them, and the index says truly what lies where.</summary>
public sealed class FramesAndIndexTests
{
    private const int MiB = 1 << 20;

    private static readonly int[] s_sizes = [0, 1, 100, 511, 512, 513, 8192, 70_000, MiB - 1, MiB, MiB + 1, (4 * MiB) - 512, 4 * MiB, (4 * MiB) + 1, (9 * MiB) + 77];

    private static readonly EncryptionKey s_key = EncryptionKey.FromSettings(string.Concat(Enumerable.Repeat("0f", 32)), KeyTransform.Hex);

    private static Gen<(string Name, int Size)> Member =>
        from folder in Gen.Elements("", "base/", "base/5/", "base/5/deeper/", new string('f', 110) + "/")
        from number in Gen.Choose(1, 500)
        from suffix in Gen.Elements("", "_vm", " with blank", "ü", new string('n', 120))
        from size in Gen.Frequency((6, Gen.Elements(s_sizes[..8])), (1, Gen.Elements(s_sizes[8..])))
        select ($"{folder}{number}{suffix}", size);

    [Theory]
    [InlineData(CompressionMethod.Zstd, false, 8)]
    [InlineData(CompressionMethod.Zstd, true, 4)]
    [InlineData(CompressionMethod.Lz4, false, 4)]
    [InlineData(CompressionMethod.None, true, 3)]
    public void ReadBackTheyAreTheFiles(CompressionMethod compression, bool encrypted, int rounds) =>
        Property(compression, encrypted).Check(Config.QuickThrowOnFailure.WithMaxTest(rounds));

    [Trait("Category", "Full")]
    [Theory]
    [InlineData(CompressionMethod.Zstd, false)]
    [InlineData(CompressionMethod.Zstd, true)]
    [InlineData(CompressionMethod.Lz4, false)]
    [InlineData(CompressionMethod.Brotli, false)]
    public void ReadBackTheyAreTheFilesManyTimes(CompressionMethod compression, bool encrypted) =>
        Property(compression, encrypted).Check(Config.QuickThrowOnFailure.WithMaxTest(100));

    private static Property Property(CompressionMethod compression, bool encrypted) => Prop.ForAll(
        Member.ListOf().ToArbitrary(),
        Gen.Elements(1L, 600_000L, 3L * MiB, 1L << 30).ToArbitrary(),
        (members, partSize) => CheckAsync(compression, encrypted ? s_key : null, members, partSize).GetAwaiter().GetResult());

    private static async Task CheckAsync(CompressionMethod compression, EncryptionKey? key, IEnumerable<(string Name, int Size)> members, long partSize)
    {
        using var packed = new PackedFolder(compression, key);
        Dictionary<string, byte[]> files = Write(packed.Source, members);

        await packed.PackAsync(partSize);

        Assert.Equal(0, packed.OpenFiles());
        var seen = new HashSet<string>(StringComparer.Ordinal);
        await using PartIndexReader index = (await PartIndexReader.TryOpenAsync(packed.Repository, packed.Name))!;
        await foreach (IndexedPart part in index.ReadPartsAsync())
        {
            byte[] tar = await ReadAsync(packed, part);
            CheckTar(part, tar, files);
            if (part.RandomAccess)
                await CheckFramesAsync(packed, part, tar);
            foreach (IndexedMember member in part.Members)
            {
                Assert.True(seen.Add(member.Name));
                if (member.Kind == MemberKind.File)
                    Assert.True(tar.AsSpan((int)member.Offset, (int)member.Size).SequenceEqual(files[member.Name]));
            }
        }
        Assert.Equal(index.Header.PartCount, Directory.GetFiles(packed.PartFolder).Length);
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), seen.Where(files.ContainsKey).Order(StringComparer.Ordinal));
    }

    private static Dictionary<string, byte[]> Write(string folder, IEnumerable<(string Name, int Size)> members)
    {
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach ((string name, int size) in members)
        {
            string path = Path.Combine(folder, name);
            if (Directory.Exists(path))
                continue;
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            byte[] content = new byte[size];
            new Random(size + name.Length).NextBytes(content.AsSpan(0, size / 2)); // One half compresses.
            File.WriteAllBytes(path, content);
            files["/" + name] = content;
        }
        return files;
    }

    private static async Task<byte[]> ReadAsync(PackedFolder packed, IndexedPart part)
    {
        string key = RepositoryLayout.PartFolder(packed.Name) + part.Name;
        Assert.Equal(part.Size, (await packed.Repository.Store.StatAsync(key))!.Value.Size);
        await using Stream source = await packed.Repository.OpenDecodedAsync(key);
        using var memory = new MemoryStream();
        await source.CopyToAsync(memory);
        return memory.ToArray();
    }

    private static void CheckTar(IndexedPart part, byte[] tar, Dictionary<string, byte[]> files)
    {
        using var reader = new TarReader(new MemoryStream(tar));
        var names = new List<string>();
        while (reader.GetNextEntry() is { } entry)
        {
            names.Add(entry.Name);
            if (entry.EntryType != TarEntryType.Directory)
                Assert.Equal(files[entry.Name].Length, entry.Length);
        }
        Assert.Equal(part.Members.Select(m => m.Name), names);
        Assert.True(tar.Length % 512 == 0 && !tar.AsSpan()[^1024..].ContainsAnyExcept((byte)0));
    }

    private static async Task CheckFramesAsync(PackedFolder packed, IndexedPart part, byte[] tar)
    {
        using var decoder = new FrameDecoder();
        long stored = 0;
        int plain = 0;
        foreach (IndexedFrame frame in part.Frames)
        {
            byte[] bytes = new byte[frame.Length];
            await using (Stream range = await packed.Repository.Store.OpenReadAsync(RepositoryLayout.PartFolder(packed.Name) + part.Name, stored, frame.Length))
                await range.ReadExactlyAsync(bytes);
            byte[] content = new byte[frame.PlainLength];
            decoder.Decode(bytes, content);
            Assert.True(tar.AsSpan(plain, content.Length).SequenceEqual(content));
            Assert.Equal(frame.Hash, Convert.ToHexStringLower(XxHash128.Hash(content)));
            stored += frame.Length;
            plain += frame.PlainLength;
        }
        Assert.Equal((part.Size, tar.Length), (stored, plain));
    }
}
