using PgBackup.Codecs;

namespace PgBackup.Configuration;

/// <summary>What there is to know of a key file; never the key.</summary>
public sealed record EncryptionKeyInfo
{
    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary>What the key is called where it must not be shown.</summary>
    public required string KeyId { get; init; }

    /// <summary>How the file's text becomes the key: WALG_LIBSODIUM_KEY_TRANSFORM.</summary>
    public KeyTransform Transform { get; init; } = KeyTransform.Base64;

    /// <summary>The environment with which PgBackup and wal-g use the key.</summary>
    public IReadOnlyDictionary<string, string> Settings => new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["WALG_LIBSODIUM_KEY_PATH"] = Path,
        ["WALG_LIBSODIUM_KEY_TRANSFORM"] = Transform.ToString().ToLowerInvariant(),
    };

    /// <summary>The file's path.</summary>
    public override string ToString() => Path;
}
