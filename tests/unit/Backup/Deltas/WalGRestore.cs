using System.Buffers.Binary;
using System.Diagnostics;
using System.Formats.Tar;
using System.Text.Json;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup.Deltas;

/// <summary>
/// Restores a chain as wal-g's backup-fetch does, by its format's text alone: stock zstd, the framework's tar and JSON, none of the code that wrote it. What wal-g
/// panics on fails the test.
/// </summary>
internal sealed class WalGRestore
{
    private const int PageSize = 8192;
    private static readonly string[] s_utility = ["/global/pg_control", "backup_label", "tablespace_map"];

    private readonly string _repository;
    private readonly string _target;
    private readonly Dictionary<string, string> _spaces;

    private WalGRestore(string repository, string target, Dictionary<string, string> spaces)
    {
        _repository = repository;
        _target = target;
        _spaces = spaces;
    }

    /// <summary>The default way: the full backup, then each delta applied onto it. <paramref name="spaces"/>: where the tablespaces go, by OID.</summary>
    public static async Task ForwardAsync(string repository, string name, string target, Dictionary<string, string>? spaces = null)
    {
        var restore = new WalGRestore(repository, target, spaces ?? []);
        Directory.CreateDirectory(target, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await restore.FetchAsync(name, null);
        foreach ((string oid, string location) in restore._spaces)
        {
            Directory.CreateDirectory(location);
            File.CreateSymbolicLink(Path.Combine(target, "pg_tblspc", oid), location);
        }
    }

    /// <summary>With --reverse-unpack: the newest first; older backups fill the pages whose headers are still zero.</summary>
    public static async Task ReverseAsync(string repository, string name, string target)
    {
        var restore = new WalGRestore(repository, target, []);
        Directory.CreateDirectory(target, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        HashSet<string>? wanted = null;
        for (string? level = name; level is not null;)
        {
            (JsonElement sentinel, JsonElement files) = restore.Documents(level);
            HashSet<string> here = wanted ?? [.. files.EnumerateObject().Select(f => f.Name), .. s_utility];
            await restore.ReadMembersAsync(level, here, (member, content, mode) => restore.ApplyReverse(member, content, mode, IsIncremented(files, member)));
            wanted = restore.WantedFromParent(files, here);
            level = sentinel.TryGetProperty("DeltaFrom", out JsonElement from) ? from.GetString() : null;
        }
    }

    private async Task FetchAsync(string name, HashSet<string>? wantedByChild)
    {
        (JsonElement sentinel, JsonElement files) = Documents(name);
        HashSet<string> wanted = wantedByChild ?? [.. files.EnumerateObject().Select(f => f.Name), .. s_utility];
        if (sentinel.TryGetProperty("DeltaFrom", out JsonElement from))
        {
            // wal-g dereferences all of them.
            Assert.NotEqual(0UL, sentinel.GetProperty("DeltaLSN").GetUInt64());
            Assert.True(sentinel.GetProperty("DeltaCount").GetInt32() > 0);
            Assert.NotNull(sentinel.GetProperty("DeltaFullName").GetString());
            await FetchAsync(from.GetString()!, WantedFromParent(files, wanted));
        }
        await ReadMembersAsync(name, wanted, (member, content, mode) => ApplyForward(member, content, mode, IsIncremented(files, member)));
    }

    private HashSet<string> WantedFromParent(JsonElement files, HashSet<string> wanted)
    {
        var result = new HashSet<string>(StringComparer.Ordinal);
        foreach (string member in wanted.Except(s_utility))
        {
            Assert.True(files.TryGetProperty(member, out JsonElement file), $"wanted to fetch an increment for {member}, which the backup does not list");
            Assert.False(file.GetProperty("IsSkipped").GetBoolean() && file.GetProperty("IsIncremented").GetBoolean());
            if (file.GetProperty("IsSkipped").GetBoolean() || file.GetProperty("IsIncremented").GetBoolean())
                result.Add(member);
        }
        return result;
    }

    private (JsonElement Sentinel, JsonElement Files) Documents(string name) => (
        Read(Path.Combine(_repository, "basebackups_005", name + "_backup_stop_sentinel.json")),
        Read(Path.Combine(_repository, "basebackups_005", name, "files_metadata.json")).GetProperty("Files"));

    private static JsonElement Read(string path)
    {
        using FileStream stream = File.OpenRead(path);
        return JsonDocument.Parse(stream).RootElement.Clone();
    }

    private static bool IsIncremented(JsonElement files, string member) =>
        files.TryGetProperty(member, out JsonElement file) && file.GetProperty("IsIncremented").GetBoolean();

    private async Task ReadMembersAsync(string name, HashSet<string> wanted, Action<string, byte[], UnixFileMode> apply)
    {
        string folder = Path.Combine(_repository, "basebackups_005", name, "tar_partitions");
        // The labels last, as wal-g does since 3.0.5.
        foreach (string part in Directory.GetFiles(folder).OrderBy(p => Path.GetFileName(p).StartsWith("part_", StringComparison.Ordinal) ? 0 : 1))
        {
            var start = new ProcessStartInfo("zstd", ["-dcq", part]) { RedirectStandardOutput = true };
            using Process process = Process.Start(start)!;
            using var reader = new TarReader(process.StandardOutput.BaseStream);
            while (await reader.GetNextEntryAsync(copyData: true) is { } entry)
            {
                if (entry.EntryType == TarEntryType.Directory)
                {
                    Directory.CreateDirectory(PathOf(entry.Name));
                    continue;
                }
                if (!wanted.Contains(entry.Name))
                    continue;
                using var content = new MemoryStream();
                if (entry.DataStream is not null)
                    await entry.DataStream.CopyToAsync(content);
                Assert.Equal(entry.Length, content.Length);
                apply(entry.Name, content.ToArray(), entry.Mode);
            }
            await process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
            await process.WaitForExitAsync();
            Assert.Equal(0, process.ExitCode);
        }
    }

    private void ApplyForward(string member, byte[] content, UnixFileMode mode, bool isIncrement)
    {
        string path = PathOf(member);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (!isIncrement)
        {
            File.WriteAllBytes(path, content);
            File.SetUnixFileMode(path, mode);
            return;
        }
        using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite);
        (long size, uint[] blocks, int first) = Parse(content);
        file.SetLength(size);
        for (int i = 0; i < blocks.Length; i++)
        {
            file.Position = (long)blocks[i] * PageSize;
            file.Write(content, first + (i * PageSize), PageSize);
        }
        Assert.Equal(size, file.Length);
    }

    private void ApplyReverse(string member, byte[] content, UnixFileMode mode, bool isIncrement)
    {
        string path = PathOf(member);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        bool exists = File.Exists(path);
        if (!exists)
        {
            if (!isIncrement)
            {
                File.WriteAllBytes(path, content);
                File.SetUnixFileMode(path, mode);
                return;
            }
            (long size, _, _) = Parse(content);
            using FileStream created = new(path, FileMode.CreateNew);
            created.SetLength(size);
        }
        using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite);
        (uint[] Blocks, int First) pages = isIncrement ? (Parse(content).Blocks, Parse(content).First) : ([.. Enumerable.Range(0, content.Length / PageSize).Select(i => (uint)i)], 0);
        byte[] header = new byte[24];
        for (int i = 0; i < pages.Blocks.Length; i++)
        {
            long at = (long)pages.Blocks[i] * PageSize;
            if (at >= file.Length)
                continue;
            file.Position = at;
            file.ReadExactly(header);
            if (header.AsSpan().ContainsAnyExcept((byte)0))
                continue;
            file.Position = at;
            file.Write(content, pages.First + (i * PageSize), PageSize);
        }
    }

    private static (long Size, uint[] Blocks, int First) Parse(byte[] content)
    {
        Assert.Equal("wi1U"u8.ToArray(), content[..4]);
        var size = (long)BinaryPrimitives.ReadUInt64LittleEndian(content.AsSpan(4));
        var count = (int)BinaryPrimitives.ReadUInt32LittleEndian(content.AsSpan(12));
        Assert.Equal(16 + ((4 + PageSize) * (long)count), content.Length);
        uint[] blocks = new uint[count];
        for (int i = 0; i < count; i++)
            blocks[i] = BinaryPrimitives.ReadUInt32LittleEndian(content.AsSpan(16 + (4 * i)));
        Assert.Equal(blocks.Order().Distinct(), blocks);
        Assert.All(blocks, b => Assert.True((b + 1L) * PageSize <= size));
        return (size, blocks, 16 + (4 * count));
    }

    private string PathOf(string member)
    {
        string relative = member.TrimStart('/');
        foreach ((string oid, string location) in _spaces)
        {
            if (relative.StartsWith($"pg_tblspc/{oid}/", StringComparison.Ordinal))
                return Path.Combine(location, relative[$"pg_tblspc/{oid}/".Length..]);
        }
        return Path.Combine(_target, relative);
    }
}
