using PgBackup.Codecs;
using PgBackup.Errors;

namespace PgBackup.Configuration;

/// <summary>
/// Where the repository is and how objects are written to it. What is not given comes from WAL-G's environment: WALG_FILE_PREFIX,
/// WALG_COMPRESSION_METHOD, WALG_ZSTD_LEVEL, WALG_LIBSODIUM_KEY, WALG_LIBSODIUM_KEY_PATH, WALG_LIBSODIUM_KEY_TRANSFORM.
/// </summary>
/// <param name="Location">The folder.</param>
/// <param name="Compression">How new objects are compressed; zstd unless told.</param>
/// <param name="CompressionLevel">The codec's level; null for the codec's default.</param>
/// <param name="Key">The key; null when nothing is encrypted.</param>
public sealed record RepositorySettings(string Location, CompressionMethod Compression, int? CompressionLevel, EncryptionKey? Key)
{
    // Ways of encryption that wal-g has and we cannot write: going on in plain text would betray the user.
    private static readonly string[] s_foreignEncryption =
        ["WALG_PGP_KEY", "WALG_PGP_KEY_PATH", "WALG_GPG_KEY_ID", "WALE_GPG_KEY_ID", "WALG_CSE_KMS_ID", "YC_CSE_KMS_KEY_ID", "WALG_ENVELOPE_PGP_KEY", "WALG_ENVELOPE_PGP_KEY_PATH"];

    /// <summary>
    /// Takes the settings from the environment; <paramref name="repository"/> (already a full path) goes before WALG_FILE_PREFIX.
    /// Throws <c>RepositoryNotGiven</c>, <c>RepositoryKindNotSupported</c>, <c>EncryptionNotSupported</c>, <c>EncryptionKeyInvalid</c>, <c>SettingInvalid</c>.
    /// </summary>
    public static RepositorySettings Resolve(string? repository) => Resolve(repository, Environment.GetEnvironmentVariable);

    internal static RepositorySettings Resolve(string? repository, Func<string, string?> environment)
    {
        string? Setting(string name) => environment(name) is { Length: > 0 } value ? value : null;

        string? location = repository ?? Setting("WALG_FILE_PREFIX");
        if (location is null)
            throw Setting("WALG_S3_PREFIX") is { } s3 ? PgErrors.RepositoryKindNotSupported(s3) : PgErrors.RepositoryNotGiven();
        foreach (string name in s_foreignEncryption)
        {
            if (Setting(name) is not null)
                throw PgErrors.EncryptionNotSupported(name);
        }
        CompressionMethod method = Setting("WALG_COMPRESSION_METHOD") is { } text ? CompressionNames.Parse(text) : CompressionMethod.Zstd;
        return new RepositorySettings(FolderOf(location), method, LevelOf(Setting("WALG_ZSTD_LEVEL")), KeyOf(Setting));
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

    private static EncryptionKey? KeyOf(Func<string, string?> setting)
    {
        KeyTransform transform = setting("WALG_LIBSODIUM_KEY_TRANSFORM")?.ToLowerInvariant() switch
        {
            null or "none" => KeyTransform.None,
            "hex" => KeyTransform.Hex,
            "base64" => KeyTransform.Base64,
            { } other => throw PgErrors.SettingInvalid("WALG_LIBSODIUM_KEY_TRANSFORM", other, "none, hex or base64"),
        };
        if (setting("WALG_LIBSODIUM_KEY") is { } key)
            return EncryptionKey.FromSettings(key, transform);
        if (setting("WALG_LIBSODIUM_KEY_PATH") is not { } path)
            return null;
        try
        {
            return EncryptionKey.FromSettings(File.ReadAllText(path).Trim(), transform);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.KeyFileUnreadable(path, error);
        }
    }
}
