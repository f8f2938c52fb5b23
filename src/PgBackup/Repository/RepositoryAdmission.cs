using PgBackup.Repository.Documents;

namespace PgBackup.Repository;

/// <summary>What a writer must have proven before it uploads its first byte: that its key and its cluster belong to the repository.</summary>
public static class RepositoryAdmission
{
    /// <summary>
    /// Proves both at once, and records what is not recorded yet: nothing before both are proven, and the key before anything is encrypted with it. Throws what
    /// <see cref="RepositoryEncryption.ProveForWritingAsync"/> and <see cref="RepositoryIdentity.RequireAsync(BackupRepository, ClusterIdentity, bool, CancellationToken)"/> throw.
    /// </summary>
    /// <param name="repository">The repository.</param>
    /// <param name="cluster">The cluster; null for a file that does not tell it.</param>
    /// <param name="newLineage">Whether a cluster that the repository does not know is welcome.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task RequireAsync(BackupRepository repository, ClusterIdentity? cluster, bool newLineage, CancellationToken cancellationToken = default)
    {
        Task<bool> key = RepositoryEncryption.ProveForWritingAsync(repository, cancellationToken);
        try
        {
            if (cluster is not null)
                await RepositoryIdentity.RequireAsync(repository, cluster, newLineage, key, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await ((Task)key).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (!await key.ConfigureAwait(false))
            await RepositoryEncryption.RecordAsync(repository, cancellationToken).ConfigureAwait(false);
    }
}
