using System.Runtime.CompilerServices;
using System.Text.Json;
using PgBackup.Errors;
using PgBackup.Repository.Documents;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>The base backups of a repository, those that wal-g wrote included.</summary>
public static class BackupCatalog
{
    private const int ParallelReads = 16;

    /// <summary>
    /// Every backup, oldest first by recorded start; unfinished ones too. A sentinel or metadata that cannot be read makes its backup
    /// <see cref="BackupStatus.Damaged"/>, never the listing fail.
    /// </summary>
    public static Task<IReadOnlyList<ClusterBackup>> ListAsync(BackupRepository repository, CancellationToken cancellationToken = default) => ListAsync(repository, null, cancellationToken);

    /// <summary>
    /// The same with a cache of documents: everything in the backups' folders is listed then, because only a listing tells which documents have changed. For many backups.
    /// </summary>
    internal static async Task<IReadOnlyList<ClusterBackup>> ListAsync(BackupRepository repository, DocumentCache? cache, CancellationToken cancellationToken)
    {
        Task<IReadOnlyDictionary<string, BackupLock>> locking = BackupLocks.ReadAsync(repository, cancellationToken);
        (List<string> folders, List<Published> sentinels) = cache is null
            ? await ListApartAsync(repository, cancellationToken).ConfigureAwait(false)
            : await ListAllAsync(repository, cache, cancellationToken).ConfigureAwait(false);
        LeaseRecord?[] running = [];
        if (HasUnpublished(folders, sentinels))
        {
            // In this order, folders, lease, sentinels: a backup that begins or ends meanwhile is then never taken for one whose run died.
            running = await Task.WhenAll(
                BackupLease.CurrentAsync(repository, cancellationToken), BackupLease.CurrentCopyAsync(repository, cancellationToken)).ConfigureAwait(false);
            sentinels = await ListPublishedAsync(repository, cancellationToken).ConfigureAwait(false);
        }

        var read = new CatalogEntry?[sentinels.Count];
        var options = new ParallelOptions { MaxDegreeOfParallelism = ParallelReads, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, sentinels.Count, options, async (i, token) =>
            read[i] = await TryReadAsync(repository, sentinels[i].Name, sentinels[i].Item, cache, token).ConfigureAwait(false)).ConfigureAwait(false);

        CatalogEntry[] entries = [.. read.OfType<CatalogEntry>()];
        List<ClusterBackup> backups = WithChains(entries);
        backups.AddRange(Unfinished(repository, entries, folders, running));
        IReadOnlyDictionary<string, BackupLock> locks = await locking.ConfigureAwait(false);
        if (locks.Count > 0)
            backups = [.. backups.Select(b => locks.TryGetValue(b.Name, out BackupLock? held) ? b with { LockedUntil = held.Until, IsPermanent = b.IsPermanent || held.Until is null } : b)];
        backups.Sort((a, b) => (a.StartTime ?? DateTimeOffset.MaxValue, a.Name).CompareTo((b.StartTime ?? DateTimeOffset.MaxValue, b.Name)));
        return backups;
    }

    private static async Task<(List<string> Folders, List<Published> Sentinels)> ListApartAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        Task<List<string>> listing = ListFoldersAsync(repository, cancellationToken);
        Task<List<Published>> publishing = ListPublishedAsync(repository, cancellationToken);
        await Task.WhenAll(listing, publishing).ConfigureAwait(false);
        return (await listing.ConfigureAwait(false), await publishing.ConfigureAwait(false));
    }

    private static async Task<(List<string> Folders, List<Published> Sentinels)> ListAllAsync(BackupRepository repository, DocumentCache cache, CancellationToken cancellationToken)
    {
        var folders = new HashSet<string>(StringComparer.Ordinal);
        var sentinels = new List<Published>();
        await foreach (StoredObject item in repository.Store.ListAsync(RepositoryLayout.BackupFolder, recursive: true, cancellationToken).ConfigureAwait(false))
        {
            string file = item.Key[RepositoryLayout.BackupFolder.Length..];
            int slash = file.IndexOf('/', StringComparison.Ordinal);
            if (slash >= 0)
                folders.Add(file[..slash]);
            else if (TryNameOf(file) is { } name)
                sentinels.Add(new Published(name, item));
            if (slash < 0 || file.EndsWith("/metadata.json", StringComparison.Ordinal))
                cache.Note(item);
        }
        return ([.. folders], sentinels);
    }

    private static BackupName? TryNameOf(string file) =>
        file.EndsWith(RepositoryLayout.SentinelSuffix, StringComparison.Ordinal) && BackupName.TryParse(file[..^RepositoryLayout.SentinelSuffix.Length], out BackupName? name) ? name : null;

    private static async Task<List<string>> ListFoldersAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        List<string> folders = [];
        await foreach (string folder in repository.Store.ListFoldersAsync(RepositoryLayout.BackupFolder, cancellationToken).ConfigureAwait(false))
            folders.Add(folder);
        return folders;
    }

    /// <summary>The published backups by their sentinels' names alone; nothing is opened.</summary>
    internal static async IAsyncEnumerable<(BackupName Name, StoredObject Sentinel)> ListSentinelsAsync(
        BackupRepository repository, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (StoredObject item in repository.Store.ListAsync(RepositoryLayout.BackupFolder, recursive: false, cancellationToken).ConfigureAwait(false))
        {
            if (TryNameOf(item.Key[RepositoryLayout.BackupFolder.Length..]) is { } name)
                yield return (name, item);
        }
    }

    private static async Task<List<Published>> ListPublishedAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        List<Published> sentinels = [];
        await foreach ((BackupName name, StoredObject item) in ListSentinelsAsync(repository, cancellationToken).ConfigureAwait(false))
            sentinels.Add(new Published(name, item));
        return sentinels;
    }

    private static bool HasUnpublished(List<string> folders, List<Published> sentinels)
    {
        var published = new HashSet<string>(StringComparer.Ordinal);
        foreach (Published sentinel in sentinels)
            published.Add(sentinel.Name.Text);
        return folders.Exists(folder => !published.Contains(folder));
    }

    /// <summary>Null when the backup was deleted since it was listed.</summary>
    private static async Task<CatalogEntry?> TryReadAsync(
        BackupRepository repository, BackupName name, StoredObject item, DocumentCache? cache, CancellationToken cancellationToken)
    {
        // Beside the sentinel, and not after it: each costs a store at a distance a round trip.
        Task<ExtendedMetadata?> reading = BackupDocuments.TryReadMetadataAsync(repository, name, cache, cancellationToken);
        try
        {
            BackupSentinel sentinel = await BackupDocuments.ReadSentinelAsync(repository, item.Key, cache, cancellationToken).ConfigureAwait(false);
            ExtendedMetadata? metadata = null;
            if (sentinel is not { StartLsn: > 0, FinishLsn: > 0 })
                throw PgErrors.DocumentInvalid(repository.Location, item.Key, new JsonException("It does not say where the backup begins and ends."));
            string? problem = null;
            try
            {
                metadata = await reading.ConfigureAwait(false);
            }
            catch (PgBackupException error)
            {
                problem = error.Message; // Not needed to restore, but something has damaged this backup.
            }
            return new CatalogEntry(name, sentinel, Describe(repository, name, item, sentinel, metadata, problem));
        }
        catch (PgBackupException error) when (error.Id == "ObjectNotFound")
        {
            return null;
        }
        catch (PgBackupException error) when (error.Id is "DocumentInvalid" or "ObjectTooLarge" or "StorageReadFailed")
        {
            return new CatalogEntry(name, null, Nameless(repository, name, BackupStatus.Damaged, error.Message) with { StartTime = item.LastModified });
        }
        finally
        {
            await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static ClusterBackup Describe(
        BackupRepository repository, BackupName name, StoredObject item, BackupSentinel sentinel, ExtendedMetadata? metadata, string? problem) => new()
    {
        Name = name.Text,
        Type = sentinel.DeltaFrom is not null || name.IsDelta ? BackupType.Delta : BackupType.Full,
        Status = problem is null ? BackupStatus.Complete : BackupStatus.Damaged,
        Problem = problem,
        StartTime = (sentinel.StartTime ?? metadata?.StartTime ?? item.LastModified).ToUniversalTime(),
        FinishTime = (sentinel.FinishTime ?? metadata?.FinishTime ?? item.LastModified).ToUniversalTime(),
        StartLsn = ToLsn(sentinel.StartLsn ?? metadata?.StartLsn),
        FinishLsn = ToLsn(sentinel.FinishLsn ?? metadata?.FinishLsn),
        Timeline = sentinel.PgBackup?.Timeline is > 0 and { } timeline ? new TimelineId(timeline) : name.Segment.Timeline,
        Size = sentinel.CompressedSize ?? metadata?.CompressedSize,
        UncompressedSize = sentinel.UncompressedSize ?? metadata?.UncompressedSize,
        DataSize = sentinel.DataCatalogSize,
        Parent = sentinel.DeltaFrom,
        ServerVersion = ToVersion(sentinel.PgVersion ?? metadata?.PgVersion),
        SystemIdentifier = sentinel.SystemIdentifier ?? metadata?.SystemIdentifier,
        // A mark changes metadata.json alone; the sentinel keeps what was said when the backup was taken.
        IsPermanent = metadata?.IsPermanent ?? sentinel.IsPermanent ?? false,
        UserData = (metadata?.UserData ?? sentinel.UserData) is { } data ? UserDataValue.FromJson(data) : null,
        HostName = sentinel.HostName ?? metadata?.HostName,
        DataDirectory = sentinel.DataDirectory ?? metadata?.DataDirectory,
        WrittenBy = sentinel.PgBackup?.WrittenBy ?? "wal-g",
        Encrypted = sentinel.PgBackup?.Encrypted,
        CorruptPageCount = sentinel.PgBackup?.CorruptPageCount ?? 0,
        Repository = repository.Location,
        Sentinel = sentinel,
    };

    private static List<ClusterBackup> WithChains(CatalogEntry[] entries)
    {
        var byName = new Dictionary<string, CatalogEntry>(entries.Length, StringComparer.Ordinal);
        foreach (CatalogEntry entry in entries)
            byName[entry.Name.Text] = entry;
        var result = new List<ClusterBackup>(entries.Length);
        foreach (CatalogEntry entry in entries)
        {
            (List<string> chain, string? problem) = ChainOf(entry, byName);
            ClusterBackup backup = entry.Backup with { Chain = chain };
            if (problem is not null)
                backup = backup with { Status = BackupStatus.Damaged, Problem = backup.Problem is null ? problem : $"{backup.Problem} {problem}" };
            result.Add(backup);
        }
        return result;
    }

    /// <summary>The chain, root first, and what is wrong with it: a missing or damaged member, a parent with another start LSN, a circle.</summary>
    private static (List<string> Chain, string? Problem) ChainOf(CatalogEntry entry, Dictionary<string, CatalogEntry> byName)
    {
        var chain = new List<string> { entry.Name.Text };
        CatalogEntry child = entry;
        while (child.Sentinel?.DeltaFrom is { } parentName)
        {
            if (!byName.TryGetValue(parentName, out CatalogEntry? parent))
                return (chain, $"Its chain is broken: '{parentName}' is not in the repository.");
            if (chain.Contains(parentName))
                return (chain, $"Its chain is broken: '{parentName}' stands in it twice.");
            chain.Insert(0, parentName);
            if (parent.Sentinel is null)
                return (chain, $"Its chain is broken: '{parentName}' is damaged.");
            ulong? expected = child.Sentinel.DeltaLsn ?? child.Sentinel.LegacyDeltaLsn;
            if (expected is not null && parent.Sentinel.StartLsn is not null && expected != parent.Sentinel.StartLsn)
            {
                return (chain, $"Its chain is broken: '{child.Name}' was taken on a backup that began at {new Lsn(expected.Value)}, "
                    + $"but '{parentName}' began at {new Lsn(parent.Sentinel.StartLsn.Value)}.");
            }
            child = parent;
        }
        return (chain, child.Sentinel is not null && child.Name.IsDelta ? $"Its chain is broken: '{child.Name}' is a delta that names no parent." : null);
    }

    /// <summary>Folders of backups without a sentinel: what a run that died, or one that runs now, has put there.</summary>
    private static List<ClusterBackup> Unfinished(BackupRepository repository, CatalogEntry[] entries, List<string> folders, LeaseRecord?[] running)
    {
        var published = new HashSet<string>(StringComparer.Ordinal);
        foreach (CatalogEntry entry in entries)
            published.Add(entry.Name.Text);
        var result = new List<ClusterBackup>();
        foreach (string folder in folders)
        {
            if (published.Contains(folder) || !BackupName.TryParse(folder, out BackupName? name))
                continue;
            result.Add(Array.Find(running, r => r?.Backup == folder) is { } writer
                ? Nameless(repository, name, BackupStatus.InProgress, $"Being written since {writer.Since:u} by process {writer.ProcessId} on {writer.HostName}.")
                    with { StartTime = writer.Since }
                : Nameless(repository, name, BackupStatus.Unfinished, "The run that wrote it ended before it was complete."));
        }
        return result;
    }

    private static ClusterBackup Nameless(BackupRepository repository, BackupName name, BackupStatus status, string problem) => new()
    {
        Name = name.Text,
        Type = name.IsDelta ? BackupType.Delta : BackupType.Full,
        Status = status,
        Problem = problem,
        Timeline = name.Segment.Timeline,
        Repository = repository.Location,
    };

    private static Lsn? ToLsn(ulong? value) => value is > 0 ? new Lsn(value.Value) : null;

    // server_version_num: 150018 is 15.18 (all versions from 10 on).
    private static Version? ToVersion(int? number) => number is > 0 ? new Version(number.Value / 10000, number.Value % 10000) : null;

    private readonly record struct Published(BackupName Name, StoredObject Item);

    private sealed record CatalogEntry(BackupName Name, BackupSentinel? Sentinel, ClusterBackup Backup);
}
