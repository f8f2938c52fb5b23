using PgBackup.Errors;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>Proves that every tar part of a backup is there, with the size that the index says.</summary>
internal static class BackupPartsProof
{
    /// <summary>Throws <c>ObjectMissing</c>, <c>BackupDamaged</c>, <c>DocumentInvalid</c>, <c>EncryptionKeyInvalid</c>.</summary>
    /// <param name="repository">The repository; without its key an encrypted index is passed over.</param>
    /// <param name="name">The backup.</param>
    /// <param name="isTarget">Whether the backup's own state is to be restored, for which it needs its control file and its label.</param>
    /// <param name="onMember">Called for each member that the index lists.</param>
    /// <param name="onFile">Called for each file that the list of files names; from another thread than <paramref name="onMember"/>.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task RequireAsync(
        BackupRepository repository, BackupName name, bool isTarget, Action<IndexedMember> onMember, Action<FileMetadata> onFile, CancellationToken cancellationToken)
    {
        BackupParts parts = await BackupParts.ListAsync(repository, name, cancellationToken).ConfigureAwait(false);
        parts.Require(repository.Location, isTarget);
        var stored = new Dictionary<string, StoredObject>(StringComparer.Ordinal);
        foreach (StoredObject? item in parts.Data.Select(static d => (StoredObject?)d).Append(parts.Control).Append(parts.Label))
        {
            if (item is { } part)
                stored[part.Key[(part.Key.LastIndexOf('/') + 1)..]] = part;
        }
        // Side by side: each costs a store at a distance a round trip. Written by us without the label part or the control part, or by wal-g: its lists name the parts, too.
        string? missing = null;
        Task<BackupSentinel> reading = BackupDocuments.ReadSentinelAsync(repository, RepositoryLayout.SentinelKey(name), cancellationToken);
        Task<bool> indexing = RequireIndexedAsync(repository, name, stored, onMember, cancellationToken);
        await Task.WhenAll(
            reading,
            indexing,
            FilesMetadataReader.TryReadAsync(
                repository, RepositoryLayout.FilesMetadataKey(name), onFile, part => missing ??= stored.ContainsKey(part) ? null : part, cancellationToken)).ConfigureAwait(false);
        BackupSentinel sentinel = await reading.ConfigureAwait(false);
        bool hasIndex = await indexing.ConfigureAwait(false);
        if (!hasIndex && sentinel is { PgBackup: not null, CompressedSize: { } written } && stored.Values.Sum(static p => p.Size) is var size && size < written)
        {
            // Encrypted, and the key is not here: the sizes still add up.
            throw PgErrors.BackupDamaged(repository.Location, name.Text, $"its parts have {size} bytes together, its sentinel says {written}.");
        }
        if (missing is not null)
            throw PgErrors.ObjectMissing(repository.Location, name.Text, RepositoryLayout.PartFolder(name) + missing);
        if (sentinel.PgBackup is not null && isTarget && parts.Label is null)
            throw PgErrors.ObjectMissing(repository.Location, name.Text, RepositoryLayout.PartFolder(name) + "backup_label.tar.*");
    }

    /// <summary>False when there is no index that can be read.</summary>
    private static async Task<bool> RequireIndexedAsync(
        BackupRepository repository, BackupName name, Dictionary<string, StoredObject> stored, Action<IndexedMember> onMember, CancellationToken cancellationToken)
    {
        PartIndexReader? index = await TryOpenAsync(repository, name, cancellationToken).ConfigureAwait(false);
        if (index is null)
            return false;
        await using (index.ConfigureAwait(false))
        {
            await foreach (IndexedPart part in index.ReadPartsAsync(cancellationToken).ConfigureAwait(false))
            {
                RequirePart(repository, name, stored, part.Name, part.Size);
                foreach (IndexedMember member in part.Members)
                    onMember(member);
            }
        }
        return true;
    }

    // A damaged index costs speed, not the backup: fetching warns of it.
    private static async Task<PartIndexReader?> TryOpenAsync(BackupRepository repository, BackupName name, CancellationToken cancellationToken)
    {
        try
        {
            return await PartIndexReader.TryOpenAsync(repository, name, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id is "DocumentInvalid" or "ObjectDamaged")
        {
            return null;
        }
    }

    private static void RequirePart(BackupRepository repository, BackupName name, Dictionary<string, StoredObject> stored, string part, long size)
    {
        if (!stored.TryGetValue(part, out StoredObject item))
            throw PgErrors.ObjectMissing(repository.Location, name.Text, RepositoryLayout.PartFolder(name) + part);
        if (item.Size != size)
            throw PgErrors.BackupDamaged(repository.Location, name.Text, $"{part} has {item.Size} bytes, its index says {size}.");
    }
}
