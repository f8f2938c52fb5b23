using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Win32.SafeHandles;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Restore.Planning;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// The data directory that comes to be, and the only place that writes files of it: nothing ever lands outside of it and of its tablespaces. It cannot be started
/// as a cluster before <see cref="Complete"/>: until then the control file has another name, and a marker says what is going on.
/// </summary>
internal sealed class RestoreDestination : IDisposable
{
    /// <summary>The file that is there while, and only while, a restore is unfinished.</summary>
    public const string MarkerName = "pgbackup_restore_in_progress";

    /// <summary>The control file's name until everything else is durable.</summary>
    public const string PendingControlFile = "global/pg_control.pgbackup";

    /// <summary>Where the control file of a cluster that is changed in place lies meanwhile: without one no server starts.</summary>
    public const string OldControlFile = "global/pg_control.before_restore";

    /// <summary>With what options the server ran; a run that was cut off has to find them again.</summary>
    public const string ServerOptionsFile = "postmaster.opts";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // What PostgreSQL expects to find even when nothing is in it; a backup may lack those that were links (pg_wal on another disk).
    private static readonly string[] s_folders =
    [
        "base", "global", "pg_commit_ts", "pg_dynshmem", "pg_logical", "pg_logical/mappings", "pg_logical/snapshots", "pg_multixact", "pg_multixact/members",
        "pg_multixact/offsets", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots", "pg_stat", "pg_stat_tmp", "pg_subtrans", "pg_tblspc", "pg_twophase",
        "pg_wal", "pg_wal/archive_status", "pg_xact",
    ];

    private readonly ConcurrentDictionary<string, bool> _folders = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _tablespaces = new(StringComparer.Ordinal);
    private readonly List<PosixFileSystem> _fileSystems = [];
    private readonly (uint User, uint Group)? _owner;

    /// <summary>Writes to <paramref name="root"/>; gives everything to <paramref name="owner"/> when there is one.</summary>
    public RestoreDestination(string root, IReadOnlyList<RestoredTablespace> tablespaces, (uint User, uint Group)? owner)
    {
        Root = root;
        Tablespaces = tablespaces;
        _owner = owner;
        foreach (RestoredTablespace tablespace in tablespaces)
            _tablespaces[tablespace.Oid.ToString(CultureInfo.InvariantCulture)] = tablespace.Target;
    }

    /// <summary>The data directory.</summary>
    public string Root { get; }

    /// <summary>The tablespaces.</summary>
    public IReadOnlyList<RestoredTablespace> Tablespaces { get; }

    /// <summary>
    /// True when files that are there are kept as far as they are right; else the destination is empty. <see cref="MakeFolders"/> is then called once what does not belong there has
    /// been removed.
    /// </summary>
    public bool InPlace { get; init; }

    /// <summary>Told of each write: the full path, where, how many bytes. From any thread.</summary>
    public Action<string, long, int>? OnWrite { get; init; }

    /// <summary>The marker is written; then, unless files are kept, the folders and the links of tablespaces are made.</summary>
    public void Prepare(string marker)
    {
        Guard(Root, () =>
        {
            EnsureFolder(Root);
            SetFolderMode(Root, OwnerOnly);
            if (InPlace)
                Take(marker);
            else
                WriteMarker(marker);
            foreach (RestoredTablespace tablespace in Tablespaces)
            {
                EnsureFolder(tablespace.Target);
                SetFolderMode(tablespace.Target, OwnerOnly);
            }
            if (PosixFileSystem.IsSupported)
            {
                _fileSystems.Add(PosixFileSystem.Open(Root));
                foreach (RestoredTablespace tablespace in Tablespaces)
                    _fileSystems.Add(PosixFileSystem.Open(tablespace.Target));
            }
        });
        if (!InPlace)
            MakeFolders();
    }

    /// <summary>
    /// Takes a data directory, so that no server starts on it any more: the marker is written, the control file moved aside. Throws <c>DestinationInUse</c>, and leaves all as it
    /// was, when a server turns out to run on it: a supervisor may have started it again since it was looked at last.
    /// </summary>
    public void Take(string marker)
    {
        bool hadMarker = File.Exists(Path.Combine(Root, MarkerName));
        WriteMarker(marker);
        bool moved = MoveControlFileAside();
        if (RunningServers.On(Root) is not { } process)
            return;
        if (moved)
            File.Move(Path.Combine(Root, OldControlFile), Path.Combine(Root, ControlFile.RelativePath));
        if (!hadMarker)
            File.Delete(Path.Combine(Root, MarkerName));
        throw PgErrors.DestinationInUse(Root, process);
    }

    /// <summary>The folders that PostgreSQL expects and the links of tablespaces are made.</summary>
    public void MakeFolders() => Guard(Root, () =>
    {
        foreach (string folder in s_folders)
            EnsureFolder(Path.Combine(Root, folder));
        foreach (RestoredTablespace tablespace in Tablespaces)
        {
            string link = LinkOf(tablespace);
            TablespaceLink.Set(link, tablespace.Target);
            Own(link);
        }
    });

    /// <summary>True for a folder that every data directory has.</summary>
    public static bool IsStandardFolder(string relative) => Array.IndexOf(s_folders, relative) >= 0;

    /// <summary>The link of a tablespace in <c>pg_tblspc</c>.</summary>
    public string LinkOf(RestoredTablespace tablespace) => Path.Combine(Root, "pg_tblspc", tablespace.Oid.ToString(CultureInfo.InvariantCulture));

    /// <summary>Makes a folder with the permissions that it had, never fewer than its owner needs.</summary>
    public void CreateFolder(string relative, UnixFileMode mode)
    {
        string path = PathOf(relative);
        Guard(path, () =>
        {
            EnsureFolder(path);
            SetFolderMode(path, (mode & ~(UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute)) | OwnerOnly);
        });
    }

    /// <summary>Begins a file, empty; what was there under its name is replaced.</summary>
    public DestinationFile CreateFile(string relative, UnixFileMode mode)
    {
        string path = PathOf(relative);
        return Guard(path, () =>
        {
            EnsureFolder(Path.GetDirectoryName(path)!);
            SafeFileHandle handle = File.OpenHandle(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite);
            SetFacts(handle, mode);
            return new DestinationFile(path, handle, OnWrite);
        });
    }

    /// <summary>Makes a file of so many bytes that has none of them: it takes no room, and reads as zeros.</summary>
    public void CreatePlaceholder(string relative, long size)
    {
        string path = PathOf(relative);
        Guard(path, () =>
        {
            EnsureFolder(Path.GetDirectoryName(path)!);
            using SafeFileHandle handle = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
            SetFacts(handle, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            RandomAccess.SetLength(handle, size);
        });
    }

    /// <summary>Opens a file without emptying it, or begins it: some of what is there is right. It is made so long, when that is said.</summary>
    public DestinationFile OpenInPlace(string relative, UnixFileMode mode, long? length)
    {
        string path = PathOf(relative);
        return Guard(path, () =>
        {
            EnsureFolder(Path.GetDirectoryName(path)!);
            if (Directory.Exists(path))
                Directory.Delete(path, recursive: true);
            SafeFileHandle handle = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
            if (length is { } bytes && RandomAccess.GetLength(handle) != bytes)
                RandomAccess.SetLength(handle, bytes);
            SetFacts(handle, mode);
            return new DestinationFile(path, handle, OnWrite);
        });
    }

    /// <summary>Opens a file that a newer backup of the chain has begun; null when there is none.</summary>
    public DestinationFile? OpenFile(string relative)
    {
        string path = PathOf(relative);
        return Guard(path, () => File.Exists(path) ? new DestinationFile(path, File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite), OnWrite) : null);
    }

    /// <summary>Writes a small file whole.</summary>
    public void WriteFile(string relative, ReadOnlySpan<byte> content)
    {
        using DestinationFile file = CreateFile(relative, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        file.Write(content, 0);
    }

    /// <summary>Removes a file, where there is one.</summary>
    public void RemoveFile(string relative) => Guard(relative, () => File.Delete(PathOf(relative)));

    /// <summary>Where a file of the data directory lies; those of tablespaces lie in their folders.</summary>
    public string PathOf(string relative)
    {
        const string Prefix = "pg_tblspc/";
        if (_tablespaces.Count > 0 && relative.StartsWith(Prefix, StringComparison.Ordinal))
        {
            int end = relative.IndexOf('/', Prefix.Length);
            string oid = end < 0 ? relative[Prefix.Length..] : relative[Prefix.Length..end];
            if (_tablespaces.TryGetValue(oid, out string? target))
                return end < 0 ? target : Path.Combine(target, relative[(end + 1)..]);
        }
        return relative.Length == 0 ? Root : Path.Combine(Root, relative);
    }

    /// <summary>True for what a backup holds of another version's cluster in the folder of a tablespace: WAL-G stores the folder whole.</summary>
    public bool IsOfAnotherVersion(string relative)
    {
        string[] parts = relative.Split('/', 4);
        return parts.Length > 2 && parts[0] == "pg_tblspc"
            && Tablespaces.FirstOrDefault(t => t.Oid.ToString(CultureInfo.InvariantCulture) == parts[1]) is { } tablespace && tablespace.IsOfAnotherVersion(parts[2]);
    }

    /// <summary>Makes everything durable, and then a cluster of it: the control file gets its name, the marker goes.</summary>
    public void Complete(CancellationToken cancellationToken)
    {
        Guard(Root, () =>
        {
            SyncAll(cancellationToken);
            string global = Path.Combine(Root, "global");
            File.Move(Path.Combine(Root, PendingControlFile), Path.Combine(global, "pg_control"), overwrite: true);
            Posix.SyncDirectory(global);
            // The marker goes first: with it and without a control file, whose directory this is could not be told.
            File.Delete(Path.Combine(Root, MarkerName));
            Posix.SyncDirectory(Root);
            Posix.SyncDirectory(Path.GetDirectoryName(Root)!);
            if (InPlace)
                File.Delete(Path.Combine(Root, OldControlFile));
        });
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PosixFileSystem fileSystem in _fileSystems)
            fileSystem.Dispose();
        _fileSystems.Clear();
    }

    private void SyncAll(CancellationToken cancellationToken)
    {
        if (PosixFileSystem.IsSupported)
        {
            foreach (PosixFileSystem fileSystem in _fileSystems)
                fileSystem.Sync();
            return;
        }
        var options = new ParallelOptions { CancellationToken = cancellationToken };
        foreach (string root in Tablespaces.Select(t => t.Target).Prepend(Root))
        {
            var everything = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint };
            Parallel.ForEach(Directory.EnumerateFiles(root, "*", everything), options, static path =>
            {
                using SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
                RandomAccess.FlushToDisk(handle);
            });
            Parallel.ForEach(Directory.EnumerateDirectories(root, "*", everything).Append(root), options, Posix.SyncDirectory);
        }
    }

    private void WriteMarker(string marker)
    {
        File.WriteAllText(Path.Combine(Root, MarkerName), marker);
        Own(Path.Combine(Root, MarkerName));
    }

    // Durable before anything else is changed: after a crash of the machine the old control file must not lie beside new pages.
    private bool MoveControlFileAside()
    {
        using (SafeFileHandle marker = File.OpenHandle(Path.Combine(Root, MarkerName), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite))
            RandomAccess.FlushToDisk(marker);
        Posix.SyncDirectory(Root);
        string control = Path.Combine(Root, ControlFile.RelativePath);
        if (!File.Exists(control))
            return false;
        File.Move(control, Path.Combine(Root, OldControlFile), overwrite: true);
        Posix.SyncDirectory(Path.GetDirectoryName(control)!);
        return true;
    }

    private void SetFacts(SafeFileHandle handle, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(handle, (mode & (UnixFileMode)0x1ff) | UnixFileMode.UserRead | UnixFileMode.UserWrite);
        if (_owner is { } owner)
            Posix.ChangeOwner(handle, owner.User, owner.Group);
    }

    private void EnsureFolder(string path)
    {
        if (_folders.ContainsKey(path))
            return;
        if (!Directory.Exists(path))
        {
            if (Path.GetDirectoryName(path) is { Length: > 0 } parent)
                EnsureFolder(parent);
            if (InPlace)
                File.Delete(path); // A file where a folder belongs.
            if (OperatingSystem.IsWindows())
                Directory.CreateDirectory(path);
            else
                Directory.CreateDirectory(path, OwnerOnly);
            Own(path);
        }
        _folders.TryAdd(path, true);
    }

    private void SetFolderMode(string path, UnixFileMode mode)
    {
        if (OperatingSystem.IsWindows())
            return;
        File.SetUnixFileMode(path, mode);
        Own(path);
    }

    private void Own(string path)
    {
        if (_owner is { } owner)
            Posix.ChangeOwner(path, owner.User, owner.Group);
    }

    private static void Guard(string path, Action action) => Guard(path, () =>
    {
        action();
        return true;
    });

    private static T Guard<T>(string path, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.RestoreWriteFailed(path, error);
        }
    }
}
