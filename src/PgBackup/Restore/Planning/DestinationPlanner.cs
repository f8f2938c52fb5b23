using System.Diagnostics;
using System.Globalization;
using System.Text;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Restore.Fetching;

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
        if (request.Delta && !request.Force && RunningProcess(directory) is null)
            await UnarchivedWal.RequireNoneAsync(repository, directory, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<RestoredTablespace> tablespaces = Map(told, directory, request);
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

    /// <summary>The process that runs on a data directory; null when none does.</summary>
    public static int? RunningProcess(string directory)
    {
        string file = Path.Combine(directory, "postmaster.pid");
        try
        {
            string? first = File.Exists(file) ? File.ReadLines(file).FirstOrDefault() : null;
            if (!int.TryParse(first, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int process) || process == 0)
                return null;
            using Process running = Process.GetProcessById(Math.Abs(process));
            if (!OperatingSystem.IsLinux())
                return running.Id;
            if (HasEnded(running.Id))
                return null;
            // Ids are used again; the working directory of a server is its data directory.
            string? folder = new FileInfo($"/proc/{running.Id}/cwd").LinkTarget;
            return folder is null || SamePath(folder, directory) ? running.Id : null;
        }
        catch (Exception error) when (error is ArgumentException or FileNotFoundException or DirectoryNotFoundException)
        {
            return null; // A file that a crash left behind, or a process that ended in between.
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.DestinationNotReplaceable(directory, $"whether a server runs on it cannot be told: {error.Message}");
        }
    }

    // One that has ended, but that nobody has waited for yet, is still in the table (proc(5), state Z).
    private static bool HasEnded(int process)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{process}/stat");
            return stat[stat.LastIndexOf(')') + 2] is 'Z' or 'X';
        }
        catch (IOException)
        {
            return true; // It went away in between.
        }
    }

    private static bool SamePath(string a, string b) => string.Equals(Real(a), Real(b), StringComparison.Ordinal);

    private static string Real(string path)
    {
        string full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        return new DirectoryInfo(full).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? full;
    }

    private static async Task RequireReplaceableAsync(string directory, ControlFile control, RestoreRequest request, CancellationToken cancellationToken)
    {
        if (File.Exists(directory))
            throw PgErrors.DestinationNotReplaceable(directory, "it is a file.");
        if (!Directory.Exists(directory) || IsEmpty(directory))
            return;
        if (RunningProcess(directory) is { } process && !request.StopServer)
            throw PgErrors.DestinationInUse(directory, process);
        if (!request.Force && !request.StopServer && !request.Delta)
            throw PgErrors.DestinationNotEmpty(directory);
        string old = Path.Combine(directory, RestoreDestination.OldControlFile);
        bool isCutOff = File.Exists(Path.Combine(directory, RestoreDestination.MarkerName));
        if (isCutOff && !File.Exists(old))
            return; // What a restore that was cut off has left.
        ControlFile there;
        try
        {
            there = isCutOff
                ? ControlFile.Parse(await File.ReadAllBytesAsync(old, cancellationToken).ConfigureAwait(false), old)
                : await ControlFile.ReadAsync(directory, cancellationToken).ConfigureAwait(false);
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

    private static bool IsEmpty(string directory)
    {
        try
        {
            return !Directory.EnumerateFileSystemEntries(directory).Any(e => Path.GetFileName(e) != "lost+found");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.DestinationNotReplaceable(directory, $"it cannot be read: {error.Message}");
        }
    }

    private static List<RestoredTablespace> Map(IReadOnlyList<BackupTablespace> tablespaces, string directory, RestoreRequest request)
    {
        foreach ((string old, string target) in request.TablespaceMapping)
        {
            if (!tablespaces.Any(t => t.Location == old))
            {
                string known = tablespaces.Count == 0 ? "it has none" : "they lay in " + string.Join(", ", tablespaces.Select(t => $"'{t.Location}'"));
                throw PgErrors.TablespaceMappingInvalid($"{old}={target}", $"the backup has no tablespace in '{old}' ({known}).");
            }
        }
        var result = new List<RestoredTablespace>(tablespaces.Count);
        foreach (BackupTablespace tablespace in tablespaces)
        {
            string target = request.TablespaceMapping.GetValueOrDefault(tablespace.Location, tablespace.Location);
            bool mapped = request.TablespaceMapping.ContainsKey(tablespace.Location);
            if (!Path.IsPathFullyQualified(target) || target.AsSpan().ContainsAny('\n', '\r', '\0'))
                throw PgErrors.TablespaceMappingInvalid($"{tablespace.Location}={target}", $"'{target}' is not an absolute path.");
            if (target == directory || target.StartsWith(directory + "/", StringComparison.Ordinal))
                throw PgErrors.TablespaceMappingInvalid($"{tablespace.Location}={target}", "a tablespace within the data directory would be backed up twice and removed with it.");
            if (result.Any(t => t.Target == target))
                throw PgErrors.TablespaceMappingInvalid($"{tablespace.Location}={target}", "another tablespace goes to the same folder.");
            // In place the old folders are the cluster's own, and are set aside with it.
            if (Directory.Exists(target) && !IsEmpty(target) && !OwnedByDestination(target, tablespace.Oid, directory, request))
            {
                throw mapped
                    ? PgErrors.DestinationNotEmpty(target)
                    : PgErrors.TablespaceMappingRequired(tablespace.Oid, tablespace.Location, "that folder is not empty: it may belong to a running server");
            }
            result.Add(new RestoredTablespace(tablespace.Oid, tablespace.Location, target));
        }
        return result;
    }

    /// <summary>True when the folder is that of the same tablespace of the data directory that is replaced.</summary>
    private static bool OwnedByDestination(string target, uint oid, string directory, RestoreRequest request)
    {
        if (!request.Force && !request.StopServer && !request.Delta)
            return false;
        string? link = new FileInfo(Path.Combine(directory, "pg_tblspc", oid.ToString(CultureInfo.InvariantCulture))).LinkTarget;
        return link is not null && SamePath(link, target);
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
        return Real(current);
    }
}
