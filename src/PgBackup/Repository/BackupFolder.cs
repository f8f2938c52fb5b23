using PgBackup.Errors;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Repository;

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

    /// <summary>
    /// Removes what a run that died has left, its uploads in flight included: its lease says under which name it wrote. A run that cannot clear up after another goes on.
    /// </summary>
    public static async Task ClearAfterAsync(BackupRepository repository, LeaseRecord? dead, IOperationLog log, CancellationToken cancellationToken)
    {
        if (dead is null || !BackupName.TryParse(dead.Backup, out BackupName? name))
            return; // It died before it had a name, and wrote nothing.
        string sentinel = RepositoryLayout.SentinelKey(name);
        try
        {
            if (await repository.Store.StatAsync(sentinel, cancellationToken).ConfigureAwait(false) is not null)
                return; // It died when all was done.
            if (await ClearAsync(repository, name, cancellationToken).ConfigureAwait(false) is > 0 and int objects)
                log.Information($"{objects} objects of the backup {name} were removed: process {dead.ProcessId} on {dead.HostName} died before it was complete.");
            // Its last request may have reached the store after it was dead: without its parts that is no backup.
            if (await repository.Store.StatAsync(sentinel, cancellationToken).ConfigureAwait(false) is not null)
                await repository.Store.DeleteAsync([sentinel], cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error)
        {
            log.Warning($"What the dead process {dead.ProcessId} on {dead.HostName} left of the backup {name} could not be removed: {error.Message} It is not listed as a backup.");
        }
    }

    private static async Task<List<string>> KeysAsync(BackupRepository repository, BackupName name, CancellationToken cancellationToken)
    {
        var keys = new List<string>();
        await foreach (StoredObject item in repository.Store.ListAsync(RepositoryLayout.FolderOf(name), recursive: true, cancellationToken).ConfigureAwait(false))
            keys.Add(item.Key);
        return keys;
    }
}
