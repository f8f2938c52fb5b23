using System.Globalization;
using System.Text.Json;
using PgBackup.Errors;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>
/// Guards against two clusters in one repository: the first push or backup records the cluster's identity, another cluster is refused until
/// somebody says that a new lineage is meant (after pg_upgrade or a fresh initdb).
/// </summary>
public static class RepositoryIdentity
{
    /// <summary>The cluster that the repository was made for.</summary>
    public const string FirstKey = RepositoryLayout.PrivateFolder + "identity.json";

    private const string LineageFolder = RepositoryLayout.PrivateFolder + "lineages/";

    /// <summary>
    /// Records the identity in an empty repository, else proves that <paramref name="cluster"/> belongs here. Throws <c>ClusterIdentityMismatch</c>
    /// when it does not and <paramref name="newLineage"/> is false.
    /// </summary>
    public static Task RequireAsync(BackupRepository repository, ClusterIdentity cluster, bool newLineage, CancellationToken cancellationToken = default) =>
        RequireAsync(repository, cluster, newLineage, Task.CompletedTask, cancellationToken);

    /// <param name="repository">The repository.</param>
    /// <param name="cluster">The cluster.</param>
    /// <param name="newLineage">Whether a cluster that the repository does not know is welcome.</param>
    /// <param name="permission">Awaited before anything is written; when it fails nothing is.</param>
    /// <param name="cancellationToken">Stops it.</param>
    internal static async Task RequireAsync(
        BackupRepository repository, ClusterIdentity cluster, bool newLineage, Task permission, CancellationToken cancellationToken)
    {
        string lineageKey = LineageKey(cluster.SystemIdentifier);
        ClusterIdentity? first = null;
        try
        {
            first = await ReadAsync(repository, FirstKey, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            // The first write creates it, where its parent folder exists.
        }
        if (first is null)
        {
            ulong? written = newLineage ? null : await NewestSystemIdentifierAsync(repository, cancellationToken).ConfigureAwait(false);
            if (written is not null && written != cluster.SystemIdentifier)
                throw PgErrors.ClusterIdentityMismatch(repository.Location, cluster.SystemIdentifier, written.Value);
            await permission.ConfigureAwait(false);
            if (await TryRecordAsync(repository, FirstKey, cluster, cancellationToken).ConfigureAwait(false))
                return;
            first = await ReadAsync(repository, FirstKey, cancellationToken).ConfigureAwait(false)
                ?? throw PgErrors.ObjectNotFound(repository.Location, FirstKey);
        }
        if (first.SystemIdentifier == cluster.SystemIdentifier)
            return;
        if (await repository.Store.StatAsync(lineageKey, cancellationToken).ConfigureAwait(false) is not null)
            return;
        if (!newLineage)
            throw PgErrors.ClusterIdentityMismatch(repository.Location, cluster.SystemIdentifier, first.SystemIdentifier);
        await permission.ConfigureAwait(false);
        await TryRecordAsync(repository, lineageKey, cluster, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>All clusters that the repository knows, the first one first. Empty for a repository that only wal-g wrote.</summary>
    public static async Task<IReadOnlyList<ClusterIdentity>> ListAsync(BackupRepository repository, CancellationToken cancellationToken = default)
    {
        var found = new List<ClusterIdentity>();
        if (await ReadAsync(repository, FirstKey, cancellationToken).ConfigureAwait(false) is { } first)
            found.Add(first);
        await foreach (StoredObject item in repository.Store.ListAsync(LineageFolder, recursive: false, cancellationToken).ConfigureAwait(false))
        {
            if (await ReadAsync(repository, item.Key, cancellationToken).ConfigureAwait(false) is { } lineage)
                found.Add(lineage);
        }
        return found;
    }

    // Decimal: no 24 hexadecimal digits in a row.
    private static string LineageKey(ulong systemIdentifier) => LineageFolder + systemIdentifier.ToString(CultureInfo.InvariantCulture) + ".json";

    private static async Task<ClusterIdentity?> ReadAsync(BackupRepository repository, string key, CancellationToken cancellationToken)
    {
        byte[]? content = await repository.Store.TryReadAllAsync(key, cancellationToken).ConfigureAwait(false);
        if (content is null)
            return null;
        try
        {
            return JsonSerializer.Deserialize(content, RepositoryJson.Default.ClusterIdentity) is { SystemIdentifier: > 0 } identity
                ? identity
                : throw new JsonException("It names no cluster.");
        }
        catch (JsonException error)
        {
            throw PgErrors.DocumentInvalid(repository.Location, key, error);
        }
    }

    private static async Task<bool> TryRecordAsync(BackupRepository repository, string key, ClusterIdentity cluster, CancellationToken cancellationToken)
    {
        try
        {
            byte[] content = JsonSerializer.SerializeToUtf8Bytes(cluster, RepositoryJson.Default.ClusterIdentity);
            await repository.Store.PutAsync(key, content, PutCondition.IfAbsent, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (PgBackupException error) when (error.Id == "ObjectExists")
        {
            return false;
        }
    }

    /// <summary>A repository that wal-g wrote has no identity of ours, but its backups name their cluster.</summary>
    private static async Task<ulong?> NewestSystemIdentifierAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        var sentinels = new List<StoredObject>();
        try
        {
            await foreach (StoredObject item in repository.Store.ListAsync(RepositoryLayout.BackupFolder, recursive: false, cancellationToken).ConfigureAwait(false))
            {
                if (item.Key.EndsWith(RepositoryLayout.SentinelSuffix, StringComparison.Ordinal))
                    sentinels.Add(item);
            }
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            return null; // The first write creates it.
        }
        foreach (StoredObject item in sentinels.OrderByDescending(s => s.LastModified))
        {
            try
            {
                BackupSentinel sentinel = await BackupDocuments.ReadSentinelAsync(repository, item.Key, cancellationToken).ConfigureAwait(false);
                if (sentinel.SystemIdentifier is > 0)
                    return sentinel.SystemIdentifier;
            }
            catch (PgBackupException error) when (error.Id is "DocumentInvalid" or "ObjectNotFound")
            {
                // A damaged one says nothing; the one before it may.
            }
        }
        return null;
    }
}
