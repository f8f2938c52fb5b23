using System.Text;
using PgBackup.Codecs;
using PgBackup.Codecs.Gpg;
using PgBackup.Errors;

namespace PgBackup.Configuration;

/// <summary>
/// The key of a repository, as WAL-G's environment names it: WALG_LIBSODIUM_KEY, WALG_LIBSODIUM_KEY_PATH, WALG_LIBSODIUM_KEY_TRANSFORM, and for reading WALG_PGP_KEY and its like.
/// </summary>
public static class EncryptionSettings
{
    // Ways of encryption that wal-g has and we have not: going on in plain text would betray the user.
    private static readonly string[] s_unknownWays =
        ["WALG_CSE_KMS_ID", "YC_CSE_KMS_KEY_ID", "WALG_ENVELOPE_PGP_KEY", "WALG_ENVELOPE_PGP_KEY_PATH", "WALG_ENVELOPE_PGP_YC_CSE_KMS_KEY_ID"];

    /// <summary>
    /// The key that is given, else the environment's; null when nothing is encrypted, or by PGP (<see cref="ResolvePgp"/>).
    /// Throws <c>EncryptionNotSupported</c>, <c>EncryptionKeyMalformed</c>, <c>KeyFileUnreadable</c>, <c>SettingInvalid</c>.
    /// </summary>
    public static EncryptionKey? Resolve(EncryptionKey? given, Func<string, string?> environment)
    {
        string? Setting(string name) => environment(name) is { Length: > 0 } value ? value : null;

        foreach (string name in s_unknownWays)
        {
            if (Setting(name) is not null)
                throw PgErrors.EncryptionNotSupported(name);
        }
        return given ?? KeyOf(Setting);
    }

    /// <summary>
    /// The PGP key that WAL-G's environment names: WALG_PGP_KEY, WALG_PGP_KEY_PATH, WALG_GPG_KEY_ID, WALE_GPG_KEY_ID, WALG_PGP_KEY_PASSPHRASE; null when it names none. Throws
    /// <c>KeyFileUnreadable</c>.
    /// </summary>
    internal static GpgSettings? ResolvePgp(Func<string, string?> environment)
    {
        string? Setting(string name) => environment(name) is { Length: > 0 } value ? value : null;

        SecretText? passphrase = Setting("WALG_PGP_KEY_PASSPHRASE") is { } text ? new SecretText(text) : null;
        if (Setting("WALG_PGP_KEY") is { } key)
        {
            byte[] content = Encoding.UTF8.GetBytes(key.Replace("\\n", "\n", StringComparison.Ordinal));
            return new GpgSettings { Source = "WALG_PGP_KEY", Key = content, Passphrase = passphrase };
        }
        if (Setting("WALG_PGP_KEY_PATH") is { } path)
            return new GpgSettings { Source = "WALG_PGP_KEY_PATH", Key = ReadKeyRing(path), Passphrase = passphrase };
        foreach (string name in (ReadOnlySpan<string>)["WALG_GPG_KEY_ID", "WALE_GPG_KEY_ID"])
        {
            if (Setting(name) is not null)
                return new GpgSettings { Source = name, Passphrase = passphrase };
        }
        return null;
    }

    private static byte[] ReadKeyRing(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.KeyFileUnreadable(path, "WALG_PGP_KEY_PATH", error);
        }
    }

    private static EncryptionKey? KeyOf(Func<string, string?> setting)
    {
        KeyTransform transform = TransformOf(setting) ?? KeyTransform.None;
        if (setting("WALG_LIBSODIUM_KEY") is { } key)
            return EncryptionKey.FromSettings(key, transform);
        if (setting("WALG_LIBSODIUM_KEY_PATH") is not { } path)
            return null;
        return EncryptionKeyFile.Read(path, transform, "WALG_LIBSODIUM_KEY_PATH");
    }

    /// <summary>WALG_LIBSODIUM_KEY_TRANSFORM; null when it is not set. Throws <c>SettingInvalid</c>.</summary>
    internal static KeyTransform? TransformOf(Func<string, string?> environment) => environment("WALG_LIBSODIUM_KEY_TRANSFORM")?.ToLowerInvariant() switch
    {
        null or "" => null,
        "none" => KeyTransform.None,
        "hex" => KeyTransform.Hex,
        "base64" => KeyTransform.Base64,
        { } other => throw PgErrors.SettingInvalid("WALG_LIBSODIUM_KEY_TRANSFORM", other, "none, hex or base64"),
    };
}
