namespace PgBackup.Codecs;

/// <summary>How stored objects are opened: as they are, by libsodium's secretstream, or by gpg.</summary>
public abstract class ObjectDecryption
{
    /// <summary>Objects that are not encrypted.</summary>
    public static ObjectDecryption None { get; } = new Identity();

    /// <summary>Objects that <see cref="SecretStreamEncoder"/> or WAL-G encrypted with a key.</summary>
    public static ObjectDecryption With(EncryptionKey key) => new SecretStream(key);

    /// <summary>
    /// The plaintext of an object, forward only. Reading it raises <c>EncryptionKeyInvalid</c> or <c>ObjectDamaged</c>; only at its end it has proven that it came whole.
    /// Disposing it closes <paramref name="stored"/>.
    /// </summary>
    /// <param name="stored">The stored bytes.</param>
    /// <param name="objectName">The object's name, for errors.</param>
    public abstract Stream Open(Stream stored, string objectName);

    private sealed class Identity : ObjectDecryption
    {
        public override Stream Open(Stream stored, string objectName) => stored;
    }

    private sealed class SecretStream(EncryptionKey key) : ObjectDecryption
    {
        public override Stream Open(Stream stored, string objectName) => new SecretStreamReader(stored, key, objectName);
    }
}

/// <summary>A way of encryption that can be read, but not written.</summary>
public abstract class ForeignDecryption : ObjectDecryption
{
    /// <summary>Throws <c>EncryptionNotSupported</c>: what asks for this encryption must not be answered with plain text, nor with another encryption.</summary>
    public abstract void RequireWritable();
}
