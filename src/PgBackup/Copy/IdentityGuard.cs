using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Copy;

/// <summary>Keeps backups of one cluster out of a destination that belongs to another, and takes over what the source says of its clusters.</summary>
internal static class IdentityGuard
{
    /// <summary>
    /// Refuses clusters that the destination does not know; one that holds nothing knows all. Writes nothing. Throws <c>ClusterIdentityMismatch</c>.
    /// </summary>
    public static async Task RequireAsync(
        BackupRepository target, IReadOnlyList<ClusterBackup> targetCatalog, IEnumerable<PlannedBackup> backups, bool newLineage, CancellationToken cancellationToken)
    {
        if (newLineage)
            return;
        var known = new List<ulong>();
        try
        {
            foreach (ClusterIdentity identity in await RepositoryIdentity.ListAsync(target, cancellationToken).ConfigureAwait(false))
                known.Add(identity.SystemIdentifier);
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            return;
        }
        // What wal-g alone wrote has no record, but its backups name their cluster.
        if (known.Count == 0 && targetCatalog.LastOrDefault(b => b.SystemIdentifier is not null)?.SystemIdentifier is { } written)
            known.Add(written);
        foreach (PlannedBackup backup in backups)
        {
            if (known.Count > 0 && backup.Backup.SystemIdentifier is { } cluster && !known.Contains(cluster))
                throw PgErrors.CopyIdentityMismatch(target.Location, cluster, known[0]);
        }
    }

    /// <summary>Records the clusters of the backups in the destination, as the source records them: in the same order, the first one first.</summary>
    public static async Task TakeOverAsync(
        BackupRepository source, BackupRepository target, IEnumerable<PlannedBackup> backups, bool newLineage, CancellationToken cancellationToken)
    {
        ulong[] clusters = [.. backups.Select(b => b.Backup.SystemIdentifier).OfType<ulong>().Distinct()];
        IReadOnlyList<ClusterIdentity> recorded = await RepositoryIdentity.ListAsync(source, cancellationToken).ConfigureAwait(false);
        bool isFirst = await target.Store.StatAsync(RepositoryIdentity.FirstKey, cancellationToken).ConfigureAwait(false) is null;
        foreach (ClusterIdentity identity in recorded)
        {
            // A later lineage of the source is one of the destination, too, whatever was copied first.
            if (clusters.Contains(identity.SystemIdentifier))
                await RepositoryIdentity.RequireAsync(target, identity, newLineage || isFirst, cancellationToken).ConfigureAwait(false);
        }
    }
}
