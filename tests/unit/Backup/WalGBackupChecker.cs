using System.Diagnostics;
using System.Formats.Tar;
using System.Text.Json;
using System.Text.RegularExpressions;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup;

/// <summary>
/// Reads a backup by the rules of WAL-G's format alone: stock tools, the framework's tar and JSON, none of the code that wrote it.
/// </summary>
internal sealed partial class WalGBackupChecker
{
    private readonly string _repository;
    private readonly string _name;

    public WalGBackupChecker(string repository, string name)
    {
        _repository = repository;
        _name = name;
    }

    /// <summary>The regular members of the data parts with their content's size.</summary>
    public Dictionary<string, long> Members { get; } = new(StringComparer.Ordinal);

    public JsonElement Sentinel { get; private set; }

    public JsonElement Metadata { get; private set; }

    public JsonElement Files { get; private set; }

    private string Folder => Path.Combine(_repository, "basebackups_005", _name);

    /// <summary>Proves the rules; the data directory as it would be restored is left in <paramref name="target"/> when given.</summary>
    public async Task CheckAsync(string? target = null)
    {
        Assert.Matches(BackupNamePattern(), _name);
        Sentinel = Read(Path.Combine(_repository, "basebackups_005", _name + "_backup_stop_sentinel.json"));
        Metadata = Read(Path.Combine(Folder, "metadata.json"));
        JsonElement filesMetadata = Read(Path.Combine(Folder, "files_metadata.json"));
        Files = filesMetadata.GetProperty("Files");
        CheckDocuments();
        await CheckPartsAsync(filesMetadata.GetProperty("TarFileSets"), target);
        CheckPublishOrder();
        foreach (string path in Directory.EnumerateFiles(Path.Combine(_repository, "pgbackup_v1"), "*", SearchOption.AllDirectories))
            Assert.DoesNotMatch(SegmentPattern(), Path.GetRelativePath(_repository, path));
    }

    private void CheckDocuments()
    {
        foreach (string member in (string[])["LSN", "FinishLSN", "SystemIdentifier", "PgVersion", "UncompressedSize", "CompressedSize"])
            Assert.Equal(JsonValueKind.Number, Sentinel.GetProperty(member).ValueKind);
        Assert.Equal(2, Sentinel.GetProperty("Version").GetInt32());
        Assert.Equal(JsonValueKind.Null, Sentinel.GetProperty("ChkpNum").ValueKind);
        Assert.Equal("%Y-%m-%dT%H:%M:%S.%fZ", Sentinel.GetProperty("DateFmt").GetString());
        Assert.True(DateTimeOffset.Parse(Sentinel.GetProperty("StartTime").GetString()!) <= DateTimeOffset.Parse(Sentinel.GetProperty("FinishTime").GetString()!));
        if (!_name.Contains("_D_", StringComparison.Ordinal))
        {
            foreach (string member in (string[])["DeltaLSN", "DeltaFrom", "DeltaFullName", "DeltaCount"])
                Assert.False(Sentinel.TryGetProperty(member, out _));
        }
        string[] expected =
        [
            "compressed_size", "data_dir", "date_fmt", "finish_lsn", "finish_time", "hostname", "is_permanent", "pg_version",
            "start_lsn", "start_time", "system_identifier", "uncompressed_size",
        ];
        Assert.Equal(expected, Metadata.EnumerateObject().Select(p => p.Name).Where(n => n != "user_data").Order(StringComparer.Ordinal));
        Assert.Equal(Sentinel.GetProperty("LSN").GetUInt64(), Metadata.GetProperty("start_lsn").GetUInt64());
        Assert.Equal(Sentinel.GetProperty("FinishLSN").GetUInt64(), Metadata.GetProperty("finish_lsn").GetUInt64());
    }

    private async Task CheckPartsAsync(JsonElement tarFileSets, string? target)
    {
        string[] parts = [.. Directory.GetFileSystemEntries(Path.Combine(Folder, "tar_partitions")).Order(StringComparer.Ordinal)];
        Assert.All(parts, part => Assert.Matches(PartPattern(), Path.GetFileName(part)));
        Assert.Contains(parts, part => Path.GetFileName(part).StartsWith("part_", StringComparison.Ordinal));
        long stored = 0;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string part in parts)
        {
            stored += new FileInfo(part).Length;
            string kind = Path.GetFileName(part).Split('.')[0];
            List<string> members = await ReadPartAsync(part, kind, target);
            Assert.All(members, member => Assert.True(seen.Add(member), $"{member} stands in two parts"));
            if (kind == "pg_control")
                Assert.Equal(["/global/pg_control"], members);
            else if (kind == "backup_label")
                Assert.Equal(["backup_label", "tablespace_map"], members.Order(StringComparer.Ordinal));
            if (kind != "pg_control")
                Assert.Equal(members, tarFileSets.GetProperty(Path.GetFileName(part)).EnumerateArray().Select(e => e.GetString()!));
        }
        Assert.Equal(stored, Sentinel.GetProperty("CompressedSize").GetInt64());
        seen.ExceptWith(["/global/pg_control", "backup_label", "tablespace_map"]);
        Assert.Equal(seen.Order(StringComparer.Ordinal), Files.EnumerateObject().Where(p => !p.Value.GetProperty("IsSkipped").GetBoolean()).Select(p => p.Name).Order(StringComparer.Ordinal));
        bool isDelta = _name.Contains("_D_", StringComparison.Ordinal);
        foreach (JsonProperty file in Files.EnumerateObject())
        {
            bool isSkipped = file.Value.GetProperty("IsSkipped").GetBoolean(), isIncremented = file.Value.GetProperty("IsIncremented").GetBoolean();
            Assert.False(isSkipped && isIncremented);
            Assert.True(isDelta || !(isSkipped || isIncremented));
            Assert.EndsWith("Z", file.Value.GetProperty("MTime").GetString(), StringComparison.Ordinal);
        }
    }

    private async Task<List<string>> ReadPartAsync(string part, string kind, string? target)
    {
        byte[] tar = await DecompressAsync(part);
        var members = new List<string>();
        using var stream = new MemoryStream(tar);
        using var reader = new TarReader(stream);
        while (reader.GetNextEntry() is { } entry)
        {
            members.Add(entry.Name);
            Assert.True(entry.EntryType is TarEntryType.RegularFile or TarEntryType.Directory, $"{entry.Name} is a {entry.EntryType}");
            if (kind != "backup_label")
                Assert.StartsWith("/", entry.Name, StringComparison.Ordinal);
            if (entry.EntryType == TarEntryType.RegularFile && kind.StartsWith("part_", StringComparison.Ordinal))
                Members[entry.Name] = entry.Length;
            if (target is not null)
                Extract(entry, target);
        }
        // wal-g drains what follows the tar's end and wants nothing but zeros.
        Assert.True(tar.Length % 512 == 0 && !tar.AsSpan()[^1024..].ContainsAnyExcept((byte)0));
        return members;
    }

    private static void Extract(TarEntry entry, string target)
    {
        string path = Path.Combine(target, entry.Name.TrimStart('/'));
        if (entry.EntryType == TarEntryType.Directory)
        {
            Directory.CreateDirectory(path, (UnixFileMode)0x1c0);
            ServerAccount.Current.Own(path);
            return;
        }
        string folder = Path.GetDirectoryName(path)!;
        if (!Directory.Exists(folder))
        {
            Directory.CreateDirectory(folder, (UnixFileMode)0x1c0);
            ServerAccount.Current.Own(folder);
        }
        using (FileStream file = File.Create(path))
            entry.DataStream?.CopyTo(file);
        ServerAccount.Current.Own(path);
    }

    private static async Task<byte[]> DecompressAsync(string part)
    {
        string? tool = Path.GetExtension(part) switch { ".zst" => "zstd", ".lz4" => "lz4", ".tar" => null, var other => throw new InvalidOperationException($"No stock tool for {other}.") };
        if (tool is null)
            return await File.ReadAllBytesAsync(part);
        using var folder = new TempFolder();
        string plain = folder.Combine("part.tar");
        (await ToolProcess.RunAsync(new ProcessStartInfo("sh", ["-c", "exec \"$0\" -dc \"$1\" > \"$2\"", tool, part, plain]))).EnsureSuccess();
        return await File.ReadAllBytesAsync(plain);
    }

    private void CheckPublishOrder()
    {
        DateTime sentinel = File.GetLastWriteTimeUtc(Path.Combine(_repository, "basebackups_005", _name + "_backup_stop_sentinel.json"));
        foreach (string path in Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories))
            Assert.True(File.GetLastWriteTimeUtc(path) <= sentinel, $"{path} is newer than the sentinel");
    }

    private static JsonElement Read(string path)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        return document.RootElement.Clone();
    }

    [GeneratedRegex(@"\Abase_[0-9A-F]{24}(_D_[0-9A-F]{24})?\z")]
    private static partial Regex BackupNamePattern();

    [GeneratedRegex(@"\A(part_[0-9]{3,}|pg_control|backup_label)\.tar(\.zst|\.lz4)?\z")]
    private static partial Regex PartPattern();

    [GeneratedRegex("[0-9A-F]{24}")]
    private static partial Regex SegmentPattern();
}
