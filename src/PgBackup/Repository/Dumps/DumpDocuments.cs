using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Storage;

namespace PgBackup.Repository.Dumps;

/// <summary>Reads and writes the documents of logical backups.</summary>
public static class DumpDocuments
{
    /// <summary>Reads a manifest; null when there is none. Throws <c>DocumentInvalid</c>.</summary>
    public static Task<DumpManifest?> TryReadManifestAsync(BackupRepository repository, string name, CancellationToken cancellationToken = default) =>
        TryReadManifestAsync(repository, name, null, cancellationToken);

    /// <summary>The same, from the cache where it has it.</summary>
    internal static async Task<DumpManifest?> TryReadManifestAsync(BackupRepository repository, string name, DocumentCache? cache, CancellationToken cancellationToken)
    {
        string key = DumpLayout.ManifestKey(name);
        Task<byte[]?> reading = cache is null ? repository.Store.TryReadAllAsync(key, cancellationToken) : cache.TryReadAsync(repository.Store, key, cancellationToken);
        if (await reading.ConfigureAwait(false) is not { } content)
            return null;
        DumpManifest manifest = Parse(content, DumpJson.Default.DumpManifest, repository, key);
        if (manifest.Version > DumpManifest.CurrentVersion || manifest.Name != name)
            throw PgErrors.DocumentInvalid(repository.Location, key, new JsonException($"It is version {manifest.Version} of '{manifest.Name}'; this program knows version {DumpManifest.CurrentVersion}."));
        // What is required may still be null in JSON.
        return manifest.Objects is { } objects && objects.All(static item => item is { Key: not null, Hash: not null, Size: >= 0, UncompressedSize: >= 0 }) && manifest.ServerVersion >= 0
            ? manifest
            : throw PgErrors.DocumentInvalid(repository.Location, key, new JsonException("It does not say of which objects the dump is made."));
    }

    /// <summary>Writes a manifest, after which the backup exists. Never replaces another.</summary>
    public static Task WriteManifestAsync(BackupRepository repository, DumpManifest manifest, CancellationToken cancellationToken = default) => repository.Store.PutAsync(
        DumpLayout.ManifestKey(manifest.Name), JsonSerializer.SerializeToUtf8Bytes(manifest, DumpJson.Default.DumpManifest), PutCondition.IfAbsent, cancellationToken);

    /// <summary>Reads the list of tables. Throws <c>ObjectNotFound</c>, <c>ObjectDamaged</c>, <c>EncryptionKeyInvalid</c>, <c>DocumentInvalid</c>.</summary>
    public static async Task<DumpTables> ReadTablesAsync(BackupRepository repository, string name, CancellationToken cancellationToken = default)
    {
        string key = DumpLayout.TablesKey(name);
        Stream content = await repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false);
        await using (content.ConfigureAwait(false))
        {
            try
            {
                return await JsonSerializer.DeserializeAsync(content, DumpJson.Default.DumpTables, cancellationToken).ConfigureAwait(false) ?? throw new JsonException("The document is empty.");
            }
            catch (JsonException error)
            {
                throw PgErrors.DocumentInvalid(repository.Location, key, error);
            }
        }
    }

    /// <summary>Writes the list of tables, encrypted where there is a key.</summary>
    public static Task WriteTablesAsync(BackupRepository repository, string name, DumpTables tables, CancellationToken cancellationToken = default) => ObjectEncoding.PutEncodedAsync(
        repository, DumpLayout.TablesKey(name), CompressionMethod.Zstd,
        (stream, token) => JsonSerializer.SerializeAsync(stream, tables, DumpJson.Default.DumpTables, token), cancellationToken);

    private static T Parse<T>(byte[] content, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, BackupRepository repository, string key)
    {
        try
        {
            return JsonSerializer.Deserialize(content, type) ?? throw new JsonException("The document is empty.");
        }
        catch (JsonException error)
        {
            throw PgErrors.DocumentInvalid(repository.Location, key, error);
        }
    }
}

/// <summary>The documents' form, without reflection.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UseStringEnumConverter = true, WriteIndented = true,
    Converters = [typeof(LsnConverter)])]
[JsonSerializable(typeof(DumpManifest))]
[JsonSerializable(typeof(DumpTables))]
internal sealed partial class DumpJson : JsonSerializerContext
{
}

/// <summary>An LSN as PostgreSQL writes it, for example 0/16B3748.</summary>
internal sealed class LsnConverter : JsonConverter<Lsn>
{
    public override Lsn Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Lsn.TryParse(reader.GetString(), CultureInfo.InvariantCulture, out Lsn lsn) ? lsn : throw new JsonException("It holds an LSN that is none.");

    public override void Write(Utf8JsonWriter writer, Lsn value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
