using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Backup.Publishing;

/// <summary>The folder of a backup that is not published.</summary>
internal static class BackupFolder
{
    private const int Batch = 1000;

    /// <summary>
    /// Removes what lies in the folder: leftovers of a dead run before the first put (wal-g reads every object in <c>tar_partitions/</c>), and our own after a failure;
    /// objects in flight too, because nobody else writes under a name whose lease is ours. Never called for a backup with a sentinel.
    /// </summary>
    public static async Task<int> ClearAsync(BackupRepository repository, BackupName name, CancellationToken cancellationToken)
    {
        Task<List<string>> listing = KeysAsync(repository, name, cancellationToken);
        Task<int> removing = repository.Store.RemoveUnfinishedAsync(RepositoryLayout.FolderOf(name), cancellationToken);
        try
        {
            await Task.WhenAll(listing, removing).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            return 0; // Nothing was ever written.
        }
        List<string> keys = await listing.ConfigureAwait(false);
        foreach (string[] batch in keys.Chunk(Batch))
            await repository.Store.DeleteAsync(batch, cancellationToken).ConfigureAwait(false);
        return keys.Count + await removing.ConfigureAwait(false);
    }

    private static async Task<List<string>> KeysAsync(BackupRepository repository, BackupName name, CancellationToken cancellationToken)
    {
        var keys = new List<string>();
        await foreach (StoredObject item in repository.Store.ListAsync(RepositoryLayout.FolderOf(name), recursive: true, cancellationToken).ConfigureAwait(false))
            keys.Add(item.Key);
        return keys;
    }
}
