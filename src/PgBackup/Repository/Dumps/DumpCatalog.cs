using System.Globalization;
using PgBackup.Errors;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Repository.Dumps;

/// <summary>The logical backups of a repository.</summary>
public static class DumpCatalog
{
    private const int ParallelReads = 16;

    /// <summary>For how long after something was last written a backup without a manifest counts as being written.</summary>
    private static readonly TimeSpan s_quiet = TimeSpan.FromMinutes(10);

    /// <summary>No run is believed to be still going on after this.</summary>
    private static readonly TimeSpan s_longestRun = TimeSpan.FromDays(1);

    /// <summary>
    /// Every logical backup, oldest first; unfinished ones too. A manifest that cannot be read makes its backup <see cref="BackupStatus.Damaged"/>, never the listing fail.
    /// </summary>
    public static Task<IReadOnlyList<DatabaseBackup>> ListAsync(BackupRepository repository, CancellationToken cancellationToken = default) => ListAsync(repository, null, cancellationToken);

    /// <summary>The same with a cache of documents, for many backups: everything in their folders is listed then.</summary>
    internal static async Task<IReadOnlyList<DatabaseBackup>> ListAsync(BackupRepository repository, DocumentCache? cache, CancellationToken cancellationToken)
    {
        Task<IReadOnlyDictionary<string, BackupLock>> locking = BackupLocks.ReadAsync(repository, cancellationToken);
        List<string> names = cache is null ? await NamesAsync(repository, cancellationToken).ConfigureAwait(false) : await NamesAsync(repository, cache, cancellationToken).ConfigureAwait(false);
        var read = new DatabaseBackup?[names.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = ParallelReads, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, names.Count, options, async (i, token) => read[i] = await ReadAsync(repository, names[i], cache, token).ConfigureAwait(false)).ConfigureAwait(false);
        IReadOnlyDictionary<string, BackupLock> locks = await locking.ConfigureAwait(false);
        List<DatabaseBackup> backups =
        [
            .. read.OfType<DatabaseBackup>().Select(b => locks.TryGetValue(b.Name, out BackupLock? held) ? b with { LockedUntil = held.Until, IsPermanent = b.IsPermanent || held.Until is null } : b),
        ];
        backups.Sort((a, b) => a.StartTime == b.StartTime ? string.CompareOrdinal(a.Name, b.Name) : Nullable.Compare(a.StartTime, b.StartTime));
        return backups;
    }

    private static async Task<List<string>> NamesAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        List<string> names = [];
        await foreach (string folder in repository.Store.ListFoldersAsync(DumpLayout.Folder, cancellationToken).ConfigureAwait(false))
        {
            if (DumpLayout.IsName(folder))
                names.Add(folder);
        }
        return names;
    }

    private static async Task<List<string>> NamesAsync(BackupRepository repository, DocumentCache cache, CancellationToken cancellationToken)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        await foreach (StoredObject item in repository.Store.ListAsync(DumpLayout.Folder, recursive: true, cancellationToken).ConfigureAwait(false))
        {
            string path = item.Key[DumpLayout.Folder.Length..];
            int slash = path.IndexOf('/', StringComparison.Ordinal);
            if (slash < 0 || !DumpLayout.IsName(path[..slash]))
                continue;
            names.Add(path[..slash]);
            if (path.AsSpan(slash + 1) is DumpLayout.ManifestName)
                cache.Note(item);
        }
        return [.. names];
    }

    /// <summary>Null when the backup was deleted since it was listed.</summary>
    private static async Task<DatabaseBackup?> ReadAsync(BackupRepository repository, string name, DocumentCache? cache, CancellationToken cancellationToken)
    {
        try
        {
            return await DumpDocuments.TryReadManifestAsync(repository, name, cache, cancellationToken).ConfigureAwait(false) is { } manifest
                ? manifest.ToBackup(repository.Location)
                : await UnpublishedAsync(repository, name, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id is "DocumentInvalid" or "ObjectTooLarge" or "StorageReadFailed")
        {
            return Nameless(repository, name, BackupStatus.Damaged, error.Message);
        }
    }

    /// <summary>
    /// A backup without a manifest. Nothing announces a run, so what was written of late is its only sign of life; null when there is nothing of it at all.
    /// </summary>
    private static async Task<DatabaseBackup?> UnpublishedAsync(BackupRepository repository, string name, CancellationToken cancellationToken)
    {
        DateTimeOffset? last = null;
        await foreach (StoredObject item in repository.Store.ListAsync(DumpLayout.FolderOf(name), recursive: true, cancellationToken).ConfigureAwait(false))
        {
            if (item.Key == DumpLayout.ManifestKey(name))
                return await ReadAsync(repository, name, null, cancellationToken).ConfigureAwait(false); // Published in between.
            last = last > item.LastModified ? last : item.LastModified;
        }
        bool inFlight = false;
        await foreach (UnfinishedObject item in repository.Store.ListUnfinishedAsync(DumpLayout.FolderOf(name), cancellationToken).ConfigureAwait(false))
        {
            inFlight = true;
            last = last > item.Started ? last : item.Started;
        }
        if (last is not { } written)
            return null;
        DateTimeOffset now = DateTimeOffset.UtcNow;
        // An object in flight says when it was begun, not when its last byte came: one that is being written for hours is no older than its run.
        bool isAlive = now - StartOf(name) < s_longestRun && (inFlight || now - written < s_quiet);
        return isAlive
            ? Nameless(repository, name, BackupStatus.InProgress, $"It has no manifest yet; the last sign of its run is of {written.UtcDateTime:u}.")
            : Nameless(repository, name, BackupStatus.Unfinished, "The run that wrote it ended before it was complete.");
    }

    private static DatabaseBackup Nameless(BackupRepository repository, string name, BackupStatus status, string problem) => new()
    {
        Name = name,
        Content = DumpContent.Database,
        Status = status,
        Problem = problem,
        StartTime = StartOf(name),
        Repository = repository.Location,
    };

    /// <summary>When a backup began, as its name tells (to the second).</summary>
    private static DateTimeOffset? StartOf(string name) =>
        DateTimeOffset.TryParseExact(name.AsSpan(5, 16), "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset start) ? start : null;
}
