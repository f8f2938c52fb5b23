using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.RegularExpressions;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>
/// Locks that keep backups from retention beside wal-g's permanent mark: those that end by themselves, and those of logical backups. One object each under <c>pgbackup_v1/locks/</c>.
/// </summary>
internal static partial class BackupLocks
{
    /// <summary>The folder of the locks, with its slash.</summary>
    public const string Folder = RepositoryLayout.PrivateFolder + "locks/";

    private const string Suffix = ".json";
    private const int ParallelReads = 16;

    /// <summary>Where the lock of a backup lies. Names of segments are broken up: wal-g's <c>delete</c> would take them for segments.</summary>
    public static string KeyOf(string backup) => Folder + Digits().Replace(backup, "$1-$2-$3") + Suffix;

    /// <summary>Every lock, by the backup's name. One that cannot be read has no end: what somebody locked is not removed because of that.</summary>
    public static async Task<IReadOnlyDictionary<string, BackupLock>> ReadAsync(BackupRepository repository, CancellationToken cancellationToken = default)
    {
        var keys = new List<string>();
        await foreach (StoredObject item in repository.Store.ListAsync(Folder, recursive: false, cancellationToken).ConfigureAwait(false))
        {
            if (item.Key.EndsWith(Suffix, StringComparison.Ordinal))
                keys.Add(item.Key);
        }
        var locks = new ConcurrentDictionary<string, BackupLock>(StringComparer.Ordinal);
        var options = new ParallelOptions { MaxDegreeOfParallelism = ParallelReads, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(keys, options, async (key, token) =>
        {
            if (await repository.Store.TryReadAllAsync(key, token).ConfigureAwait(false) is { } content)
                locks[Broken().Replace(key[Folder.Length..^Suffix.Length], "$1$2$3")] = Parse(content);
        }).ConfigureAwait(false);
        return locks;
    }

    /// <summary>Locks a backup, or changes its lock.</summary>
    public static Task WriteAsync(BackupRepository repository, string backup, BackupLock value, CancellationToken cancellationToken = default) =>
        repository.Store.PutAsync(KeyOf(backup), JsonSerializer.SerializeToUtf8Bytes(value, RepositoryJson.Default.BackupLock), PutCondition.None, cancellationToken);

    /// <summary>Removes the locks of backups; those that have none are no error.</summary>
    public static Task DeleteAsync(BackupRepository repository, IEnumerable<string> backups, CancellationToken cancellationToken = default) =>
        repository.Store.DeleteAsync([.. backups.Select(KeyOf)], cancellationToken);

    private static BackupLock Parse(byte[] content)
    {
        try
        {
            return JsonSerializer.Deserialize(content, RepositoryJson.Default.BackupLock) ?? new BackupLock(null, default);
        }
        catch (JsonException)
        {
            return new BackupLock(null, default);
        }
    }

    [GeneratedRegex("([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})")]
    private static partial Regex Digits();

    [GeneratedRegex("([0-9A-F]{8})-([0-9A-F]{8})-([0-9A-F]{8})")]
    private static partial Regex Broken();
}
