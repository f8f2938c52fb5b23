using System.Globalization;
using System.Text;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Restore.Fetching;
using PgBackup.Storage;

namespace PgBackup.Restore.Planning;

/// <summary>Looks at the destination: may it be written to, is there room, and where do tablespaces go. Writes nothing.</summary>
internal static class DestinationPlanner
{
    // Recovery holds a few segments at a time in pg_wal.
    private const int SegmentsAtOnce = 4;

    /// <summary>The bytes of the cluster's files, and of some WAL.</summary>
    public static long RequiredSpace(ClusterBackup backup, WalSegmentSize segmentSize) =>
        (backup.DataSize ?? backup.UncompressedSize ?? 0).Bytes + (SegmentsAtOnce * (long)segmentSize.Bytes);

    /// <summary>The plan with its destination, when that can be written to.</summary>
    public static async Task<RestorePlan> CompleteAsync(
        BackupRepository repository, RestorePlan plan, ProvenBackup proven, ControlFile control, IReadOnlyList<BackupTablespace> told, RestoreRequest request, CancellationToken cancellationToken)
    {
        string directory = request.DataDirectory!;
        await RequireReplaceableAsync(directory, control, request, cancellationToken).ConfigureAwait(false);
        // While a server runs it may still archive what it has; it is looked at again once the server has stopped.
        if (request.Delta && !request.Force && RunningServers.On(directory) is null)
            await UnarchivedWal.RequireNoneAsync(repository, directory, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<RestoredTablespace> tablespaces = TablespacePlanner.Map(told, plan.Backup.DataDirectory, control.CatalogVersion, request);
        RequireRepositoryApart(repository, directory, tablespaces);
        return plan with
        {
            Tablespaces = tablespaces,
            AvailableSpace = RequireSpace(directory, plan.RequiredSpace.Bytes, tablespaces, proven, request),
        };
    }

    /// <summary>The tablespaces of a backup, as the server will link them.</summary>
    public static async Task<IReadOnlyList<BackupTablespace>> TablespacesAsync(BackupRepository repository, ClusterBackup backup, BackupName name, CancellationToken cancellationToken)
    {
        BackupParts parts = await BackupParts.ListAsync(repository, name, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<BackupTablespace> told = backup.Sentinel?.Spec?.Tablespaces ?? [];
        if (parts.Label is not { } label)
            return told;
        // What the server will make its links from goes before what the sentinel says.
        byte[]? content = await BackupMembers.ReadMemberAsync(repository, name, label.Key, TablespaceMap.FileName, cancellationToken).ConfigureAwait(false);
        TablespaceMap map = content is null ? TablespaceMap.Empty : TablespaceMap.Parse(Encoding.UTF8.GetString(content));
        return map.Entries.Count > 0 ? [.. map.Entries.Select(e => new BackupTablespace(e.Oid, e.Location))] : told;
    }

    private static async Task RequireReplaceableAsync(string directory, ControlFile control, RestoreRequest request, CancellationToken cancellationToken)
    {
        if (File.Exists(directory))
            throw PgErrors.DestinationNotReplaceable(directory, "it is a file.");
        if (!Directory.Exists(directory) || TablespacePlanner.IsEmpty(directory))
            return;
        if (RunningServers.On(directory) is { } process && !request.StopServer)
            throw PgErrors.DestinationInUse(directory, process);
        if (!request.Force && !request.StopServer && !request.Delta)
            throw PgErrors.DestinationNotEmpty(directory);
        string old = Path.Combine(directory, RestoreDestination.OldControlFile);
        bool hasControl = File.Exists(Path.Combine(directory, ControlFile.RelativePath));
        if (!hasControl && !File.Exists(old) && File.Exists(Path.Combine(directory, RestoreDestination.MarkerName)))
            return; // What a restore that was cut off has left.
        ControlFile there;
        try
        {
            there = hasControl || !File.Exists(old)
                ? await ControlFile.ReadAsync(directory, cancellationToken).ConfigureAwait(false)
                : ControlFile.Parse(await File.ReadAllBytesAsync(old, cancellationToken).ConfigureAwait(false), old);
        }
        catch (PgBackupException error)
        {
            throw PgErrors.DestinationNotReplaceable(directory, $"it is no data directory that could be known again ({error.Message})");
        }
        if (there.SystemIdentifier != control.SystemIdentifier)
        {
            throw PgErrors.DestinationNotReplaceable(
                directory, $"it holds another cluster (system identifier {there.SystemIdentifier}, the backup's is {control.SystemIdentifier}).");
        }
    }

    // What is removed, or written over, must not be where it is restored from.
    private static void RequireRepositoryApart(BackupRepository repository, string directory, IReadOnlyList<RestoredTablespace> tablespaces)
    {
        if (repository.Store is not DirectoryStore store)
            return;
        foreach (string folder in tablespaces.Select(static t => t.Target).Prepend(directory))
        {
            if (RealPath.Overlap(folder, store.Location))
                throw PgErrors.DestinationHoldsRepository(folder, store.Location);
        }
    }

    private static long RequireSpace(
        string directory, long needed, IReadOnlyList<RestoredTablespace> tablespaces, ProvenBackup proven, RestoreRequest request)
    {
        var byFileSystem = new Dictionary<string, (string Path, long Needed, long There)>(StringComparer.Ordinal);
        void Add(string path, long bytes, bool isReplaced)
        {
            string root = FileSystemOf(path);
            (string known, long sum, long there) = byFileSystem.GetValueOrDefault(root, (path, 0, 0));
            byFileSystem[root] = (known, sum + bytes, there + (isReplaced ? SizeOf(path) : 0));
        }
        long rest = needed;
        foreach (RestoredTablespace tablespace in tablespaces)
        {
            long bytes = proven.TablespaceBytes.GetValueOrDefault(tablespace.Oid.ToString(CultureInfo.InvariantCulture));
            Add(tablespace.Target, bytes, request.Delta);
            rest -= bytes;
        }
        Add(directory, Math.Max(0, rest), request.Delta || (request.Force && !request.StopServer));
        foreach ((string path, long bytes, long there) in byFileSystem.Values)
        {
            long free = FreeSpace(path) + there;
            if (free < bytes)
                throw PgErrors.InsufficientSpace(path, bytes, free);
        }
        return FreeSpace(directory);
    }

    // What is there is removed first, or written over.
    private static long SizeOf(string directory)
    {
        if (!Directory.Exists(directory))
            return 0;
        var everything = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = true };
        return new DirectoryInfo(directory).EnumerateFiles("*", everything).Sum(f => f.Length);
    }

    private static string FileSystemOf(string path)
    {
        string existing = Existing(path);
        string root = "/";
        foreach (DriveInfo drive in DriveInfo.GetDrives())
        {
            string mount = drive.RootDirectory.FullName;
            if (mount.Length > root.Length && (existing == mount || existing.StartsWith(mount.TrimEnd('/') + "/", StringComparison.Ordinal)))
                root = mount;
        }
        return root;
    }

    private static long FreeSpace(string path) => new DriveInfo(Existing(path)).AvailableFreeSpace;

    private static string Existing(string path)
    {
        string current = Path.GetFullPath(path);
        while (!Directory.Exists(current))
            current = Path.GetDirectoryName(current) ?? "/";
        return RealPath.Of(current);
    }
}
