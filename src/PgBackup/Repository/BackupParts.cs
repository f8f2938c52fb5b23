using PgBackup.Errors;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>The tar parts of a backup, as they are listed.</summary>
/// <param name="Backup">Whose they are.</param>
/// <param name="Data">The ordinary ones.</param>
/// <param name="Control">That of the control file.</param>
/// <param name="Label">That of backup_label and tablespace_map; wal-g's remote backups have them in an ordinary part.</param>
internal sealed record BackupParts(BackupName Backup, IReadOnlyList<StoredObject> Data, StoredObject? Control, StoredObject? Label)
{
    /// <summary>Lists them: WAL-G takes every object directly in the folder for one.</summary>
    public static async Task<BackupParts> ListAsync(BackupRepository repository, BackupName backup, CancellationToken cancellationToken)
    {
        string folder = RepositoryLayout.PartFolder(backup);
        var data = new List<StoredObject>();
        StoredObject? control = null, label = null;
        await foreach (StoredObject item in repository.Store.ListAsync(folder, recursive: false, cancellationToken).ConfigureAwait(false))
        {
            string name = item.Key[folder.Length..];
            if (name.StartsWith("pg_control.tar", StringComparison.Ordinal))
                control = item;
            else if (name.StartsWith("backup_label.tar", StringComparison.Ordinal))
                label = item;
            else
                data.Add(item);
        }
        data.Sort(static (a, b) => string.CompareOrdinal(a.Key, b.Key));
        return new BackupParts(backup, data, control, label);
    }

    /// <summary>True for the parts that are read last.</summary>
    public static bool IsSpecial(string partName) =>
        partName.StartsWith("pg_control.tar", StringComparison.Ordinal) || partName.StartsWith("backup_label.tar", StringComparison.Ordinal);

    /// <summary>Throws <c>ObjectMissing</c> when there is no data, or, in the backup whose state is restored, no control file.</summary>
    public void Require(string location, bool isTarget)
    {
        if (Data.Count == 0)
            throw PgErrors.ObjectMissing(location, Backup.Text, RepositoryLayout.PartFolder(Backup) + "part_001.tar.*");
        if (isTarget && Control is null)
            throw PgErrors.ObjectMissing(location, Backup.Text, RepositoryLayout.PartFolder(Backup) + "pg_control.tar.*");
    }
}
