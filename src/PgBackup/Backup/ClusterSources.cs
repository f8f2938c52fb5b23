using PgBackup.Backup.Local;
using PgBackup.Backup.Remote;
using PgBackup.Repository;

namespace PgBackup.Backup;

/// <summary>Chooses where the data of a backup is taken from.</summary>
internal static class ClusterSources
{
    /// <summary>Connects, takes the lock in the server and runs the checks.</summary>
    public static async Task<IClusterSource> OpenAsync(
        BackupRepository repository, BackupOptions options, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken)
    {
        BackupSession session = await BackupSession.OpenAsync(options.Server, cancellationToken).ConfigureAwait(false);
        try
        {
            return await ServerPlace.IsHereAsync(session.Server, options, log, cancellationToken).ConfigureAwait(false)
                ? await LocalCluster.OpenAsync(repository, options, session, log, progress, cancellationToken).ConfigureAwait(false)
                : await RemoteCluster.OpenAsync(repository, options, session, log, progress, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await session.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }
}
