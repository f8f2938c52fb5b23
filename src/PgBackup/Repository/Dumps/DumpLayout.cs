using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using PgBackup.Codecs;

namespace PgBackup.Repository.Dumps;

/// <summary>Where logical backups lie in a repository.</summary>
public static partial class DumpLayout
{
    /// <summary>The folder of all logical backups, with its slash.</summary>
    public const string Folder = RepositoryLayout.PrivateFolder + "dumps/";

    /// <summary>The document that is written last, in the backup's folder.</summary>
    public const string ManifestName = "manifest.json";

    /// <summary>A new name: sorts by time, says nothing of the database, and is no run of 24 hexadecimal digits.</summary>
    public static string NewName(DateTimeOffset start) =>
        string.Create(CultureInfo.InvariantCulture, $"dump_{start.UtcDateTime:yyyyMMdd'T'HHmmss'Z'}_{RandomNumberGenerator.GetHexString(8, lowercase: true)}");

    /// <summary>Whether a name is one of a logical backup.</summary>
    public static bool IsName(string text) => NamePattern().IsMatch(text);

    /// <summary>The folder of a backup, with its slash.</summary>
    public static string FolderOf(string name) => $"{Folder}{name}/";

    /// <summary>The key of its manifest.</summary>
    public static string ManifestKey(string name) => FolderOf(name) + ManifestName;

    /// <summary>The key of its list of tables.</summary>
    public static string TablesKey(string name) => FolderOf(name) + "tables.json" + CompressionNames.Extension(CompressionMethod.Zstd);

    /// <summary>The key of an object of it.</summary>
    public static string ObjectKey(string name, DumpObject item) => FolderOf(name) + item.Key;

    [GeneratedRegex(@"\Adump_[0-9]{8}T[0-9]{6}Z_[0-9a-f]{8}\z")]
    private static partial Regex NamePattern();
}
