using PgBackup.Codecs;
using PgBackup.Codecs.Gpg;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>A repository: where it lives, and how its parts and WAL are compressed and encrypted.</summary>
/// <param name="Store">Where it lives.</param>
/// <param name="Key">The key; null when the repository is not encrypted.</param>
/// <param name="Compression">How new objects are compressed; what is read says by its name how it is compressed.</param>
/// <param name="CompressionLevel">The codec's level; null for the codec's default.</param>
public sealed record BackupRepository(IObjectStore Store, EncryptionKey? Key, CompressionMethod Compression = CompressionMethod.Zstd, int? CompressionLevel = null)
{
    /// <summary>
    /// How objects are opened that WAL-G encrypted by other means than a libsodium key; such a repository is read, never written, and <see cref="Key"/> does not count. Null: by the key.
    /// </summary>
    public ForeignDecryption? ForeignDecryption { get; init; }

    /// <summary>True when objects are taken for encrypted.</summary>
    public bool IsEncrypted => Key is not null || ForeignDecryption is not null;

    /// <summary>The repository that the settings name.</summary>
    public static BackupRepository Open(RepositorySettings settings) =>
        new(ObjectStores.Open(settings.Storage), settings.Key, settings.Compression, settings.CompressionLevel)
        {
            ForeignDecryption = settings.Pgp is { } pgp ? new GpgDecryption(pgp) : null,
        };

    /// <summary>The repository as its user names it.</summary>
    public string Location => Store.Location;

    /// <summary>
    /// Opens an object decrypted and decompressed as its name says. Throws <c>ObjectNotFound</c>; while reading, <c>ObjectDamaged</c> or
    /// <c>EncryptionKeyInvalid</c>.
    /// </summary>
    public async Task<Stream> OpenDecodedAsync(string key, CancellationToken cancellationToken = default)
    {
        if (!CompressionNames.TrySplit(key, out _, out CompressionMethod method))
            throw PgErrors.CodecUnknown(Location, key);
        Stream stored = await Store.OpenReadAsync(key, cancellationToken: cancellationToken).ConfigureAwait(false);
        ObjectDecryption decryption = ForeignDecryption ?? (Key is null ? ObjectDecryption.None : ObjectDecryption.With(Key));
        return StreamDecoder.Open(decryption.Open(stored, key), method, key);
    }

    /// <inheritdoc/>
    public override string ToString() => Location;
}
