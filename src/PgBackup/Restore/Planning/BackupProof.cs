using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Restore.Fetching;
using PgBackup.Storage;

namespace PgBackup.Restore.Planning;

/// <summary>What is known of a backup once its chain was proven complete.</summary>
/// <param name="Chain">The names, the full backup first.</param>
/// <param name="TablespaceBytes">The bytes of each tablespace by OID; empty when no index tells them.</param>
internal sealed record ProvenBackup(IReadOnlyList<BackupName> Chain, IReadOnlyDictionary<string, long> TablespaceBytes);

/// <summary>Proves before a restore that every object of a chain is there, with the size that the index says, and that the lists of files fit together.</summary>
internal static class BackupProof
{
    /// <summary>Throws <c>ChainBroken</c>, <c>ObjectMissing</c>, <c>BackupDamaged</c>, <c>DocumentInvalid</c>, <c>EncryptionKeyInvalid</c>.</summary>
    public static async Task<ProvenBackup> RequireAsync(
        BackupRepository repository, ClusterBackup backup, IReadOnlyList<ClusterBackup> catalog, CancellationToken cancellationToken)
    {
        if (backup.Status != BackupStatus.Complete)
            throw PgErrors.ChainBroken(repository.Location, backup.Name, backup.Problem ?? "it is not complete.");
        var chain = new List<BackupName>();
        var bytes = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (string text in backup.Chain)
        {
            if (!BackupName.TryParse(text, out BackupName? name) || catalog.FirstOrDefault(b => b.Name == text) is not { } member)
                throw PgErrors.ChainBroken(repository.Location, backup.Name, $"'{text}' is not in the repository.");
            if (member.SystemIdentifier is { } other && backup.SystemIdentifier is { } own && other != own)
                throw PgErrors.ChainBroken(repository.Location, backup.Name, $"'{text}' is of another cluster ({other} instead of {own}).");
            chain.Add(name);
            await RequirePartsAsync(repository, name, text == backup.Name, bytes, cancellationToken).ConfigureAwait(false);
        }
        if (chain.Count > 1)
            await WantedFiles.ReadAsync(repository, chain, cancellationToken).ConfigureAwait(false);
        return new ProvenBackup(chain, bytes);
    }

    private static async Task RequirePartsAsync(
        BackupRepository repository, BackupName name, bool isTarget, Dictionary<string, long> tablespaceBytes, CancellationToken cancellationToken)
    {
        BackupParts parts = await BackupParts.ListAsync(repository, name, cancellationToken).ConfigureAwait(false);
        parts.Require(repository.Location, isTarget);
        var stored = new Dictionary<string, StoredObject>(StringComparer.Ordinal);
        foreach (StoredObject? item in parts.Data.Select(static d => (StoredObject?)d).Append(parts.Control).Append(parts.Label))
        {
            if (item is { } part)
                stored[part.Key[(part.Key.LastIndexOf('/') + 1)..]] = part;
        }
        BackupSentinel sentinel = await BackupDocuments.ReadSentinelAsync(repository, RepositoryLayout.SentinelKey(name), cancellationToken).ConfigureAwait(false);
        PartIndexReader? index = await TryOpenAsync(repository, name, cancellationToken).ConfigureAwait(false);
        if (index is not null)
        {
            await using (index.ConfigureAwait(false))
            {
                await foreach (IndexedPart part in index.ReadPartsAsync(cancellationToken).ConfigureAwait(false))
                {
                    RequirePart(repository, name, stored, part.Name, part.Size);
                    foreach (IndexedMember member in part.Members)
                        AddTablespaceBytes(tablespaceBytes, member);
                }
            }
        }
        // Written by us without the label part or the control part, or by wal-g: its lists name the parts, too.
        string? missing = null;
        await FilesMetadataReader.TryReadAsync(
            repository, RepositoryLayout.FilesMetadataKey(name), static _ => { }, part => missing ??= stored.ContainsKey(part) ? null : part, cancellationToken).ConfigureAwait(false);
        if (missing is not null)
            throw PgErrors.ObjectMissing(repository.Location, name.Text, RepositoryLayout.PartFolder(name) + missing);
        if (sentinel.PgBackup is not null && isTarget && parts.Label is null)
            throw PgErrors.ObjectMissing(repository.Location, name.Text, RepositoryLayout.PartFolder(name) + "backup_label.tar.*");
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

    private static void AddTablespaceBytes(Dictionary<string, long> bytes, IndexedMember member)
    {
        const string Prefix = "/pg_tblspc/";
        if (!member.Name.StartsWith(Prefix, StringComparison.Ordinal) || member.Name.IndexOf('/', Prefix.Length) is not (> 0 and var end))
            return;
        string oid = member.Name[Prefix.Length..end];
        bytes[oid] = bytes.GetValueOrDefault(oid) + member.Size;
    }
}
