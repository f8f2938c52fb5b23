using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using PgBackup.Backup.Packing;
using PgBackup.Codecs;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Tests.Restore;

/// <summary>What one backup of a made-up chain holds of a file: nothing new, all of it, or some pages.</summary>
internal sealed record StoredFile(string Name, byte[]? Whole, (long Size, uint[] Blocks, byte[] Pages)? Increment, long Modified)
{
    public const int PageSize = 8192;

    public bool IsSkipped => Whole is null && Increment is null;

    public byte[] Content()
    {
        if (Whole is not null)
            return Whole;
        (long size, uint[] blocks, byte[] pages) = Increment!.Value;
        byte[] content = new byte[16 + (4 * blocks.Length) + pages.Length];
        "wi1U"u8.CopyTo(content);
        BinaryPrimitives.WriteInt64LittleEndian(content.AsSpan(4), size);
        BinaryPrimitives.WriteInt32LittleEndian(content.AsSpan(12), blocks.Length);
        for (int i = 0; i < blocks.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(content.AsSpan(16 + (4 * i)), blocks[i]);
        pages.CopyTo(content.AsSpan(16 + (4 * blocks.Length)));
        return content;
    }

    /// <summary>Applies this to what the parent's state holds of the file, as wal-g does, going forward.</summary>
    public byte[] ApplyTo(byte[]? before)
    {
        if (Whole is not null)
            return Whole;
        if (Increment is not { } increment)
            return before!;
        byte[] after = before!.AsSpan(0, (int)Math.Min(before!.Length, increment.Size)).ToArray();
        Array.Resize(ref after, (int)increment.Size);
        for (int i = 0; i < increment.Blocks.Length; i++)
            increment.Pages.AsSpan(i * PageSize, PageSize).CopyTo(after.AsSpan((int)increment.Blocks[i] * PageSize));
        return after;
    }
}

/// <summary>Writes backups of made-up files as the format has them, in frames with an index or without one.</summary>
internal sealed class SyntheticBackup(BackupRepository repository, BackupName name, Random random)
{
    private readonly List<IndexedPart> _parts = [];

    /// <summary>Whether readers may fetch single frames; not so of an encrypted part.</summary>
    public bool RandomAccess { get; init; } = true;

    /// <summary>Cuts a member's content elsewhere than the contract allows; null for sound backups.</summary>
    public int? HeaderCut { get; init; }

    public static BackupName NameOf(int level) => BackupName.TryParse(
        level == 0 ? "base_000000010000000000000002" : $"base_0000000100000000000000{(level * 2) + 2:X2}_D_0000000100000000000000{level * 2:X2}", out BackupName? parsed)
        ? parsed
        : throw new InvalidOperationException();

    public async Task WriteAsync(IReadOnlyCollection<StoredFile> files, bool indexed)
    {
        StoredFile[] stored = [.. files.Where(f => !f.IsSkipped)];
        int cut = random.Next(stored.Length + 1);
        await WritePartAsync("part_001.tar.zst", stored[..cut], withFolders: true);
        await WritePartAsync("part_002.tar.zst", stored[cut..], withFolders: false);
        await WritePartAsync("backup_label.tar.zst", [new StoredFile("backup_label", "START WAL LOCATION"u8.ToArray(), null, 0)], withFolders: false);
        await WritePartAsync("pg_control.tar.zst", [new StoredFile("/global/pg_control", "control"u8.ToArray(), null, 0)], withFolders: false);
        var list = new Dictionary<string, object> { ["/"] = new { }, ["/base"] = new { }, ["/base/5"] = new { } };
        foreach (StoredFile file in files)
            list[file.Name] = new { IsIncremented = file.Increment is not null, file.IsSkipped };
        await PutAsync(RepositoryLayout.FilesMetadataKey(name), JsonSerializer.SerializeToUtf8Bytes(new { Files = list }));
        if (indexed)
            await WriteIndexAsync();
    }

    private async Task WriteIndexAsync()
    {
        var text = new StringBuilder(JsonSerializer.Serialize(new IndexHeader(1, name.Text, _parts.Count), RepositoryJson.Default.IndexHeader)).Append('\n');
        foreach (IndexedPart part in _parts)
            text.Append(JsonSerializer.Serialize(part, RepositoryJson.Default.IndexedPart)).Append('\n');
        byte[] bytes = Encoding.UTF8.GetBytes(text.ToString());
        await ObjectEncoding.PutEncodedAsync(repository, RepositoryLayout.IndexKey(name), CompressionMethod.Zstd, async (stream, token) => await stream.WriteAsync(bytes, token));
    }

    private async Task WritePartAsync(string part, StoredFile[] files, bool withFolders)
    {
        var tar = new ArrayBufferWriter<byte>();
        var cuts = new SortedSet<int>();
        var members = new List<IndexedMember>();
        foreach (string folder in withFolders ? ["/", "/base", "/base/5"] : Array.Empty<string>())
        {
            TarHeader.WriteDirectory(tar, folder, 448, 0);
            members.Add(new IndexedMember(folder, tar.WrittenCount, 0, 448, 0, MemberKind.Directory));
        }
        foreach (StoredFile file in files)
        {
            byte[] content = file.Content();
            TarHeader.WriteFile(tar, file.Name, content.Length, 384, file.Modified / 1_000_000_000);
            members.Add(new IndexedMember(file.Name, tar.WrittenCount, content.Length, 384, file.Modified, file.Increment is null ? MemberKind.File : MemberKind.Increment));
            CutWithin(file, content.Length, tar.WrittenCount, cuts);
            tar.Write(content);
            TarHeader.WriteZeros(tar, TarHeader.PaddingOf(content.Length));
            if (random.Next(3) == 0)
                cuts.Add(tar.WrittenCount);
        }
        TarHeader.WriteZeros(tar, TarHeader.TrailerLength);
        await PutFramesAsync(part, tar.WrittenMemory, [.. cuts], members);
    }

    // Between the tar header and the pages, and between pages; or all in one frame.
    private void CutWithin(StoredFile file, int length, int start, SortedSet<int> cuts)
    {
        int pages = file.Increment is { } increment ? 16 + (4 * increment.Blocks.Length) : 0;
        if (HeaderCut is { } wrong && file.Increment is not null)
            cuts.Add(start + wrong);
        if (random.Next(4) == 0)
            return;
        for (int at = pages; at < length; at += random.Next(1, 5) * StoredFile.PageSize)
            cuts.Add(start + at);
    }

    private async Task PutFramesAsync(string part, ReadOnlyMemory<byte> tar, int[] cuts, List<IndexedMember> members)
    {
        using PartEncoder encoder = PartEncoder.Create(CompressionMethod.Zstd);
        using PartStream stream = encoder.BeginPart();
        var output = new ArrayBufferWriter<byte>();
        var frames = new List<IndexedFrame>();
        int from = 0;
        foreach (int to in cuts.Where(c => c > 0 && c < tar.Length).Append(tar.Length))
        {
            ReadOnlySpan<byte> plain = tar.Span[from..to];
            byte[] encoded = new byte[encoder.MaxEncodedLength(plain.Length)];
            int length = encoder.Encode(plain, encoded);
            stream.Append(plain, encoded.AsSpan(0, length), output);
            frames.Add(new IndexedFrame(length, plain.Length, Convert.ToHexStringLower(XxHash128.Hash(plain))));
            from = to;
        }
        stream.Complete(output);
        await PutAsync(RepositoryLayout.PartFolder(name) + part, output.WrittenMemory);
        _parts.Add(new IndexedPart(part, output.WrittenCount, RandomAccess, frames, members));
    }

    private async Task PutAsync(string key, ReadOnlyMemory<byte> content)
    {
        await using ObjectWriter writer = await repository.Store.CreateAsync(key, PutCondition.None, default);
        await writer.WriteAsync(content, default);
        await writer.CommitAsync(default);
    }
}
