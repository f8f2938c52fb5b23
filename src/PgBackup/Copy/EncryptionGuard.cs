using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Copy;

/// <summary>
/// Keeps objects of different keys, and plain and encrypted ones, from coming together in a destination. The key itself is not needed where both repositories record its id, or
/// where they hold an object in common: no two keys make the same ciphertext.
/// </summary>
internal static class EncryptionGuard
{
    private const int CommonObjects = 3;

    /// <summary>Writes nothing; a destination that holds nothing takes any. Throws <c>EncryptionMismatch</c>.</summary>
    public static async Task RequireAsync(
        BackupRepository source, BackupRepository target, IReadOnlyList<ClusterBackup> targetCatalog, WalListing sourceWal, WalListing targetWal, CancellationToken cancellationToken)
    {
        // One key for both, or there is nothing to copy.
        BackupRepository opened = target.IsEncrypted ? target : target with { Key = source.Key, ForeignDecryption = source.ForeignDecryption };
        if (await DescribeAsync(opened, cancellationToken).ConfigureAwait(false) is not { } there
            || await DescribeAsync(source.IsEncrypted ? source : source with { Key = target.Key, ForeignDecryption = target.ForeignDecryption }, cancellationToken).ConfigureAwait(false)
                is not { } here)
            return;
        bool isOneKind = here.HasPlain == there.HasPlain && here.HasEncrypted == there.HasEncrypted;
        if (!isOneKind || (here.KeyId is not null && there.KeyId is not null && here.KeyId != there.KeyId))
            throw PgErrors.CopyEncryptionMismatch(target.Location, here.ToString(), there.ToString());
        if (here.HasEncrypted && (here.KeyId is null || there.KeyId is null)
            && !await HaveCommonObjectAsync(source, target, targetCatalog, sourceWal, targetWal, cancellationToken).ConfigureAwait(false))
            throw PgErrors.CopyEncryptionUnproven(source.Location, target.Location);
    }

    /// <summary>Copies what the source records of its encryption, where the destination records nothing yet.</summary>
    public static async Task TakeOverAsync(BackupRepository source, BackupRepository target, CancellationToken cancellationToken)
    {
        if (await source.Store.TryReadAllAsync(RepositoryEncryption.DocumentKey, cancellationToken).ConfigureAwait(false) is not { } document)
            return;
        try
        {
            await target.Store.PutAsync(RepositoryEncryption.DocumentKey, document, PutCondition.IfAbsent, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "ObjectExists")
        {
            // Compared when the plan was made.
        }
    }

    /// <summary>Null for a repository that holds nothing.</summary>
    private static async Task<State?> DescribeAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        try
        {
            if (await RepositoryEncryption.ReadAsync(repository, cancellationToken).ConfigureAwait(false) is { } document)
                return document.Method == EncryptionDocument.NoMethod ? new State(true, false, null) : new State(false, true, document.KeyId);
            EncryptionEvidence evidence = await EncryptionProbe.GatherAsync(repository, cancellationToken).ConfigureAwait(false);
            return evidence.IsEmpty
                ? null
                : new State(evidence.FoundPlain, evidence.FoundOpened || evidence.FoundUnreadable || !evidence.FoundPlain, evidence.FoundOpened ? repository.Key?.Id ?? "of PGP" : null);
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            return null; // The first write creates it.
        }
    }

    private static async Task<bool> HaveCommonObjectAsync(
        BackupRepository source, BackupRepository target, IReadOnlyList<ClusterBackup> targetCatalog, WalListing sourceWal, WalListing targetWal, CancellationToken cancellationToken)
    {
        for (int i = targetCatalog.Count - 1; i >= Math.Max(0, targetCatalog.Count - CommonObjects); i--)
        {
            if (!BackupName.TryParse(targetCatalog[i].Name, out BackupName? name))
                continue;
            BackupParts parts = await BackupParts.ListAsync(target, name, cancellationToken).ConfigureAwait(false);
            if ((parts.Label ?? parts.Control) is { } part && await IsCommonAsync(source, target, part, cancellationToken).ConfigureAwait(false))
                return true;
        }
        int tried = 0;
        foreach (TimelineId timeline in targetWal.Timelines)
        {
            foreach (WalItem item in targetWal.Between(timeline, 0, ulong.MaxValue))
            {
                StoredObject stored = targetWal.ObjectOf(item);
                if (!sourceWal.TryFind(stored.Key, out WalItem other) || other.Size != item.Size)
                    continue;
                if (await IsCommonAsync(source, target, stored, cancellationToken).ConfigureAwait(false))
                    return true;
                if (++tried == CommonObjects)
                    return false;
            }
        }
        return false;
    }

    private static async Task<bool> IsCommonAsync(BackupRepository source, BackupRepository target, StoredObject item, CancellationToken cancellationToken) =>
        (await source.Store.StatAsync(item.Key, cancellationToken).ConfigureAwait(false))?.Size == item.Size
        && await WalComparer.SameBytesAsync(source.Store, target.Store, item.Key, cancellationToken).ConfigureAwait(false);

    private sealed record State(bool HasPlain, bool HasEncrypted, string? KeyId)
    {
        public override string ToString() => !HasEncrypted ? "not encrypted" : (HasPlain ? "partly " : "") + (KeyId is null ? "encrypted" : $"encrypted with the key {KeyId}");
    }
}
