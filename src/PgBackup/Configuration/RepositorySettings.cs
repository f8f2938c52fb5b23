using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Storage;

namespace PgBackup.Configuration;

/// <summary>
/// Where the repository is and how objects are written to it. What is not given comes from WAL-G's environment: WALG_FILE_PREFIX,
/// WALG_COMPRESSION_METHOD, WALG_ZSTD_LEVEL, WALG_LIBSODIUM_KEY, WALG_LIBSODIUM_KEY_PATH, WALG_LIBSODIUM_KEY_TRANSFORM.
/// </summary>
/// <param name="Storage">Where it is.</param>
/// <param name="Compression">How new objects are compressed; zstd unless told.</param>
/// <param name="CompressionLevel">The codec's level; null for the codec's default.</param>
/// <param name="Key">The key; null when nothing is encrypted.</param>
public sealed record RepositorySettings(StorageSettings Storage, CompressionMethod Compression, int? CompressionLevel, EncryptionKey? Key)
{
    /// <summary>The repository as its user names it.</summary>
    public string Location => Storage.Location;

    /// <summary>
    /// Takes the settings from the arguments, then from the environment.
    /// Throws <c>RepositoryNotGiven</c>, <c>RepositoryKindNotSupported</c>, <c>SettingInvalid</c>, and what <see cref="EncryptionSettings.Resolve"/> throws.
    /// </summary>
    public static RepositorySettings Resolve(RepositoryArguments arguments) => Resolve(arguments, Environment.GetEnvironmentVariable);

    internal static RepositorySettings Resolve(RepositoryArguments arguments, Func<string, string?> environment)
    {
        string? Setting(string name) => environment(name) is { Length: > 0 } value ? value : null;

        string? location = arguments.Repository ?? Setting("WALG_FILE_PREFIX");
        if (location is null)
            throw Setting("WALG_S3_PREFIX") is { } s3 ? PgErrors.RepositoryKindNotSupported(s3) : PgErrors.RepositoryNotGiven();
        CompressionMethod method = Setting("WALG_COMPRESSION_METHOD") is { } text ? CompressionNames.Parse(text) : CompressionMethod.Zstd;
        return new RepositorySettings(
            new DirectorySettings(FolderOf(location)), method, LevelOf(Setting("WALG_ZSTD_LEVEL")), EncryptionSettings.Resolve(arguments.EncryptionKey, environment));
    }

    private static string FolderOf(string location)
    {
        foreach (string scheme in (ReadOnlySpan<string>)["file://localhost", "file://"])
        {
            if (location.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
                return location[scheme.Length..];
        }
        return location.Contains("://", StringComparison.Ordinal) ? throw PgErrors.RepositoryKindNotSupported(location) : location;
    }

    // The names of klauspost/compress, which wal-g uses, and the levels of libzstd that it documents for them.
    private static int? LevelOf(string? name) => name?.ToLowerInvariant() switch
    {
        null or "default" => null,
        "fastest" => 1,
        "better" => 7,
        "best" => 11,
        _ => throw PgErrors.SettingInvalid("WALG_ZSTD_LEVEL", name, "fastest, default, better or best"),
    };
}
