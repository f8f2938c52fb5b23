using System.Text.Json;
using PgBackup.Errors;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>Reads and writes a backup's sentinel and metadata.</summary>
public static class BackupDocuments
{
    /// <summary>Reads a sentinel. Throws <c>ObjectNotFound</c> or <c>DocumentInvalid</c>.</summary>
    public static Task<BackupSentinel> ReadSentinelAsync(BackupRepository repository, string key, CancellationToken cancellationToken = default) =>
        ReadSentinelAsync(repository, key, null, cancellationToken);

    /// <summary>The same, from the cache where it has it.</summary>
    internal static async Task<BackupSentinel> ReadSentinelAsync(BackupRepository repository, string key, DocumentCache? cache, CancellationToken cancellationToken)
    {
        byte[] content = await TryReadAsync(repository, key, cache, cancellationToken).ConfigureAwait(false)
            ?? throw PgErrors.ObjectNotFound(repository.Location, key);
        try
        {
            return JsonSerializer.Deserialize(content, RepositoryJson.Default.BackupSentinel) ?? throw new JsonException("The document is empty.");
        }
        catch (JsonException error)
        {
            throw PgErrors.DocumentInvalid(repository.Location, key, error);
        }
    }

    /// <summary>Reads <c>metadata.json</c>; null when there is none. Throws <c>DocumentInvalid</c>.</summary>
    public static Task<ExtendedMetadata?> TryReadMetadataAsync(BackupRepository repository, BackupName name, CancellationToken cancellationToken = default) =>
        TryReadMetadataAsync(repository, name, null, cancellationToken);

    /// <summary>The same, from the cache where it has it.</summary>
    internal static async Task<ExtendedMetadata?> TryReadMetadataAsync(BackupRepository repository, BackupName name, DocumentCache? cache, CancellationToken cancellationToken)
    {
        string key = RepositoryLayout.MetadataKey(name);
        byte[]? content = await TryReadAsync(repository, key, cache, cancellationToken).ConfigureAwait(false);
        if (content is null)
            return null;
        try
        {
            return JsonSerializer.Deserialize(content, RepositoryJson.Default.ExtendedMetadata);
        }
        catch (JsonException error)
        {
            throw PgErrors.DocumentInvalid(repository.Location, key, error);
        }
    }

    private static Task<byte[]?> TryReadAsync(BackupRepository repository, string key, DocumentCache? cache, CancellationToken cancellationToken) =>
        cache is null ? repository.Store.TryReadAllAsync(key, cancellationToken) : cache.TryReadAsync(repository.Store, key, cancellationToken);

    /// <summary>Writes <c>metadata.json</c>.</summary>
    public static Task WriteMetadataAsync(BackupRepository repository, BackupName name, ExtendedMetadata metadata, CancellationToken cancellationToken = default) =>
        repository.Store.PutAsync(
            RepositoryLayout.MetadataKey(name),
            JsonSerializer.SerializeToUtf8Bytes(metadata, RepositoryJson.Default.ExtendedMetadata),
            PutCondition.None,
            cancellationToken);

    /// <summary>Writes the sentinel: from here on the backup exists. Never replaces another.</summary>
    public static Task WriteSentinelAsync(BackupRepository repository, BackupName name, BackupSentinel sentinel, CancellationToken cancellationToken = default) =>
        repository.Store.PutAsync(
            RepositoryLayout.SentinelKey(name),
            JsonSerializer.SerializeToUtf8Bytes(sentinel, RepositoryJson.Default.BackupSentinel),
            PutCondition.IfAbsent,
            cancellationToken);
}
