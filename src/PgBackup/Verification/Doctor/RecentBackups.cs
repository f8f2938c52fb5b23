using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Verification.Doctor;

/// <summary>A backup by its sentinel.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Sentinel">Its sentinel.</param>
/// <param name="Published">When the store says that the sentinel was written.</param>
internal sealed record RecentBackup(BackupName Name, BackupSentinel Sentinel, DateTimeOffset Published)
{
    /// <summary>When it began.</summary>
    public DateTimeOffset StartTime => Sentinel.StartTime ?? Published;
}

/// <summary>The newest backups of a repository, and the names of all: one listing and a bounded number of reads, however many there are.</summary>
internal sealed class RecentBackups
{
    private const int Most = 200;
    private const int ParallelReads = 8;

    private RecentBackups(IReadOnlyList<RecentBackup> backups, HashSet<string> names)
    {
        Newest = backups;
        Names = names;
    }

    /// <summary>The newest, oldest of them first. A sentinel that cannot be read is left out: Get-PgBackup tells of it.</summary>
    public IReadOnlyList<RecentBackup> Newest { get; }

    /// <summary>The names of all backups that have a sentinel.</summary>
    public IReadOnlySet<string> Names { get; }

    /// <summary>The stored bytes of the newest full backup; null when there is none that says so.</summary>
    public long? NewestFullSize => Newest.LastOrDefault(b => !b.Name.IsDelta && b.Sentinel.CompressedSize is > 0)?.Sentinel.CompressedSize;

    public static async Task<RecentBackups> LoadAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var newest = new PriorityQueue<(BackupName Name, StoredObject Item), DateTimeOffset>(Most + 1);
        await foreach (StoredObject item in repository.Store.ListAsync(RepositoryLayout.BackupFolder, recursive: false, cancellationToken).ConfigureAwait(false))
        {
            string file = item.Key[RepositoryLayout.BackupFolder.Length..];
            if (!file.EndsWith(RepositoryLayout.SentinelSuffix, StringComparison.Ordinal)
                || !BackupName.TryParse(file[..^RepositoryLayout.SentinelSuffix.Length], out BackupName? name))
                continue;
            names.Add(name.Text);
            newest.Enqueue((name, item), item.LastModified);
            if (newest.Count > Most)
                newest.Dequeue();
        }
        (BackupName Name, StoredObject Item)[] wanted = [.. newest.UnorderedItems.Select(i => i.Element)];
        var read = new RecentBackup?[wanted.Length];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = ParallelReads, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, wanted.Length, parallel, async (i, token) => read[i] = await TryReadAsync(repository, wanted[i].Name, wanted[i].Item, token).ConfigureAwait(false))
            .ConfigureAwait(false);
        return new RecentBackups([.. read.OfType<RecentBackup>().OrderBy(b => b.StartTime)], names);
    }

    private static async Task<RecentBackup?> TryReadAsync(BackupRepository repository, BackupName name, StoredObject item, CancellationToken cancellationToken)
    {
        try
        {
            return new RecentBackup(name, await BackupDocuments.ReadSentinelAsync(repository, item.Key, cancellationToken).ConfigureAwait(false), item.LastModified);
        }
        catch (PgBackupException error) when (error.Id is "DocumentInvalid" or "ObjectNotFound" or "ObjectTooLarge")
        {
            return null;
        }
    }
}
