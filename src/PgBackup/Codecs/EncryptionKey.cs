using System.Buffers.Text;
using System.Security.Cryptography;
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

    // Hashed with the key; another text for another purpose.
    private static readonly byte[] s_identityText = "PgBackup key id, version 1"u8.ToArray();

    private readonly byte[] _bytes;

    private EncryptionKey(byte[] bytes, KeyTransform transform)
    {
        _bytes = bytes;
        Transform = transform;
        // 80 bits tell keys apart, and no run of 24 digits looks like a WAL segment.
        string digits = Convert.ToHexStringLower(HMACSHA256.HashData(bytes, s_identityText), 0, 10);
        Id = string.Join('-', digits.Chunk(4).Select(static four => new string(four)));
    }

    /// <summary>What the key is called where it must not be shown: one way from its bytes, the same whatever text they came from.</summary>
    public string Id { get; }

    /// <summary>How its bytes were made of the text.</summary>
    public KeyTransform Transform { get; }

    /// <summary>The file that it came from; null when it came otherwise.</summary>
    public string? FilePath { get; private init; }

    /// <summary>What its owner should know, a sentence: that others may read its file. Null when nothing.</summary>
    public string? Warning { get; private init; }

    /// <summary>The 32 bytes.</summary>
    internal ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>The key that WAL-G makes of the same settings; white space around the text does not count.</summary>
    /// <param name="text">WALG_LIBSODIUM_KEY, or the content of the file WALG_LIBSODIUM_KEY_PATH.</param>
    /// <param name="transform">WALG_LIBSODIUM_KEY_TRANSFORM.</param>
    /// <exception cref="PgBackupException"><c>EncryptionKeyMalformed</c>.</exception>
    public static EncryptionKey FromSettings(string text, KeyTransform transform) => FromSettings(text, transform, null, null);

    internal static EncryptionKey FromSettings(string text, KeyTransform transform, string? filePath, string? warning)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = text.Trim();
        byte[] bytes = transform switch
        {
            KeyTransform.None => FromText(text),
            KeyTransform.Hex => Exact(Decode(text, Convert.FromHexString, "hexadecimal")),
            KeyTransform.Base64 => Exact(Decode(text, Convert.FromBase64String, "base64")),
            _ => throw new ArgumentOutOfRangeException(nameof(transform)),
        };
        return new EncryptionKey(bytes, transform) { FilePath = filePath, Warning = warning };
    }

    /// <summary>What a text most likely is: base64 or hexadecimal digits where they make exactly 32 bytes, else text as WAL-G's <c>none</c> takes it.</summary>
    public static KeyTransform GuessTransform(string text)
    {
        ReadOnlySpan<char> trimmed = text.AsSpan().Trim();
        if (trimmed.Length == 64 && !trimmed.ContainsAnyExcept("0123456789abcdefABCDEF"))
            return KeyTransform.Hex;
        return trimmed.Length == 44 && Base64.IsValid(trimmed, out int length) && length == SodiumNative.KeyLength ? KeyTransform.Base64 : KeyTransform.None;
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
