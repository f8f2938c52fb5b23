using System.Runtime.CompilerServices;
using System.Text.Json;
using PgBackup.Codecs;
using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>A repository that stock wal-g 3.0.9 wrote, and what must come of it.</summary>
internal sealed class WalgFixture
{
    private readonly JsonElement _expected;

    private WalgFixture(string folder)
    {
        Folder = folder;
        _expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json"))).RootElement;
        Backups = [.. _expected.GetProperty("backup_list_detail").EnumerateArray().Select(b => b.GetProperty("backup_name").GetString()!)];
    }

    public string Folder { get; }

    public string RepositoryPath => Path.Combine(Folder, "repo");

    /// <summary>The names of the full backup and its two deltas, in order.</summary>
    public IReadOnlyList<string> Backups { get; }

    public ulong SystemIdentifier => _expected.GetProperty("backup_list_detail")[0].GetProperty("system_identifier").GetUInt64();

    public string Query => _expected.GetProperty("query").GetString()!;

    public DateTimeOffset Time => _expected.GetProperty("at_time").GetProperty("time").GetDateTimeOffset();

    public string AtTime => Normal(_expected.GetProperty("at_time").GetProperty("result"));

    public string AtRestorePoint => Normal(_expected.GetProperty("at_restore_point_mark"));

    public string AtEnd => Normal(_expected.GetProperty("at_end"));

    public static WalgFixture Named(string name) => new(Path.Combine(FixtureFolder(), name));

    public static string Normal(string json) => Normal(JsonDocument.Parse(json).RootElement);

    public BackupRepository Open(string? path = null)
    {
        string hex = _expected.GetProperty("libsodium_key_hex").GetString()!;
        return new BackupRepository(new DirectoryStore(path ?? RepositoryPath), hex.Length == 0 ? null : EncryptionKey.FromSettings(hex, KeyTransform.Hex));
    }

    /// <summary>A copy that may be damaged.</summary>
    public string CopyTo(TempFolder folder, string name = "damaged-repo")
    {
        string target = folder.Combine(name);
        foreach (string file in Directory.EnumerateFiles(RepositoryPath, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(target, Path.GetRelativePath(RepositoryPath, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        return target;
    }

    private static string FixtureFolder([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "..", "Fixtures", "walg-3.0.9");

    private static string Normal(JsonElement value) => JsonSerializer.Serialize(value);
}
