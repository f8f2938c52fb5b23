using PgBackup.Repository;
using PgBackup.Repository.Dumps;
using PgBackup.Storage;

namespace PgBackup.Retention.Removal;

/// <summary>Where the objects of a backup lie, whatever it is of: the one that makes it exist, and the others.</summary>
internal static class RemovableBackup
{
    private const int Batch = 1000;

    /// <summary>The object whose presence makes the backup exist.</summary>
    public static string MarkerOf(string name) => BackupName.TryParse(name, out BackupName? cluster) ? RepositoryLayout.SentinelKey(cluster) : DumpLayout.ManifestKey(name);

    /// <summary>The folder of the others, with its slash.</summary>
    public static string FolderOf(string name) => BackupName.TryParse(name, out BackupName? cluster) ? RepositoryLayout.FolderOf(cluster) : DumpLayout.FolderOf(name);

    /// <summary>Removes what lies in the folder of a backup that exists no more. Returns how many objects there were.</summary>
    public static async Task<int> ClearAsync(BackupRepository repository, string name, CancellationToken cancellationToken)
    {
        if (BackupName.TryParse(name, out BackupName? cluster))
            return await BackupFolder.ClearAsync(repository, cluster, cancellationToken).ConfigureAwait(false);
        var keys = new List<string>();
        await foreach (StoredObject item in repository.Store.ListAsync(FolderOf(name), recursive: true, cancellationToken).ConfigureAwait(false))
            keys.Add(item.Key);
        foreach (string[] batch in keys.Chunk(Batch))
            await repository.Store.DeleteAsync(batch, cancellationToken).ConfigureAwait(false);
        return keys.Count + await repository.Store.RemoveUnfinishedAsync(FolderOf(name), cancellationToken).ConfigureAwait(false);
    }
}
