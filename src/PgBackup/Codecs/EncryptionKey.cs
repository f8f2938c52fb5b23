using System.Text;
using PgBackup.Errors;

namespace PgBackup.Codecs;

/// <summary>How the text of a key becomes its bytes (WAL-G: WALG_LIBSODIUM_KEY_TRANSFORM).</summary>
public enum KeyTransform
{
    /// <summary>The text's UTF-8 bytes, at least 25, cut or padded with zero bytes to 32.</summary>
    None,

    /// <summary>64 hexadecimal digits.</summary>
    Hex,

    /// <summary>Standard base64 with padding, of 32 bytes.</summary>
    Base64,
}

/// <summary>A key for the objects of an encrypted repository. Immutable; it is never shown.</summary>
public sealed class EncryptionKey
{
    private const int ShortestText = 25;

    private readonly byte[] _bytes;

    private EncryptionKey(byte[] bytes) => _bytes = bytes;

    /// <summary>The 32 bytes.</summary>
    internal ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>The key that WAL-G makes of the same settings; white space around the text does not count.</summary>
    /// <param name="text">WALG_LIBSODIUM_KEY, or the content of the file WALG_LIBSODIUM_KEY_PATH.</param>
    /// <param name="transform">WALG_LIBSODIUM_KEY_TRANSFORM.</param>
    /// <exception cref="PgBackupException"><c>EncryptionKeyMalformed</c>.</exception>
    public static EncryptionKey FromSettings(string text, KeyTransform transform)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = text.Trim();
        return new EncryptionKey(transform switch
        {
            KeyTransform.None => FromText(text),
            KeyTransform.Hex => Exact(Decode(text, Convert.FromHexString, "hexadecimal")),
            KeyTransform.Base64 => Exact(Decode(text, Convert.FromBase64String, "base64")),
            _ => throw new ArgumentOutOfRangeException(nameof(transform)),
        });
    }

    /// <summary>Says that this is a key, not which.</summary>
    public override string ToString() => "(encryption key)";

    private static byte[] FromText(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        if (bytes.Length < ShortestText)
            throw PgErrors.EncryptionKeyMalformed($"its text has fewer than {ShortestText} bytes");
        Array.Resize(ref bytes, SodiumNative.KeyLength);
        return bytes;
    }

    private static byte[] Decode(string text, Func<string, byte[]> decode, string name)
    {
        try
        {
            return decode(text);
        }
        catch (FormatException)
        {
            throw PgErrors.EncryptionKeyMalformed($"it is not {name} text");
        }
    }

    private static byte[] Exact(byte[] bytes) => bytes.Length == SodiumNative.KeyLength
        ? bytes
        : throw PgErrors.EncryptionKeyMalformed($"it has {bytes.Length} bytes instead of {SodiumNative.KeyLength}");
}
