using System.Globalization;
using System.IO.Enumeration;
using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// Takes out of a data directory that is brought to a backup's state in place what the backup does not have, before anything is written: what the server wrote since, the
/// WAL, files that others have put there. No link is followed: it is removed, those of the backup's own tablespaces excepted.
/// </summary>
internal sealed class LeftoverRemoval(RestoreDestination destination, WantedFiles wanted, FetchProgress progress)
{
    // Listed as folders by every backup; what lies in them is the server's own while it runs.
    private const string WalFolder = "pg_wal";

    private readonly HashSet<string> _tablespaces = [.. destination.Tablespaces.Select(static t => "pg_tblspc/" + t.Oid.ToString(CultureInfo.InvariantCulture))];

    private enum Kind
    {
        File,
        Folder,
        Link,
    }

    /// <summary>Removes. Throws <c>RestoreWriteFailed</c>.</summary>
    public void Run(CancellationToken cancellationToken)
    {
        try
        {
            Clean(destination.Root, "", null, cancellationToken);
            foreach (RestoredTablespace tablespace in destination.Tablespaces)
                Clean(tablespace.Target, "pg_tblspc/" + tablespace.Oid.ToString(CultureInfo.InvariantCulture), tablespace, cancellationToken);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.RestoreWriteFailed(destination.Root, error);
        }
    }

    private void Clean(string top, string relativeTop, RestoredTablespace? tablespace, CancellationToken cancellationToken)
    {
        var folders = new Stack<(string Path, string Relative)>();
        folders.Push((top, relativeTop));
        while (folders.TryPop(out (string Path, string Relative) folder))
        {
            cancellationToken.ThrowIfCancellationRequested();
            // A folder at a time, and whole, because entries are removed meanwhile.
            foreach ((string name, Kind kind) in Entries(folder.Path))
            {
                string path = Path.Combine(folder.Path, name);
                string relative = folder.Relative.Length == 0 ? name : $"{folder.Relative}/{name}";
                if (folder.Relative == relativeTop && (name == "lost+found" || (tablespace is not null && IsOthers(tablespace, name, relative))))
                    continue;
                if (kind == Kind.Link)
                    RemoveLink(path, relative);
                else if (kind == Kind.File)
                    RemoveFileUnlessWanted(path, relative);
                else if (wanted.Lists(relative) || RestoreDestination.IsStandardFolder(relative))
                    folders.Push((path, relative));
                else
                    Directory.Delete(path, recursive: true); // Links within are removed, not followed.
            }
        }
    }

    // Of a tablespace's folder the cluster has but one entry; and what the backup will write over has to be made fit for that.
    private bool IsOthers(RestoredTablespace tablespace, string name, string relative) =>
        tablespace.IsOfAnotherVersion(name) || (!tablespace.Owns(name) && !wanted.Lists(relative));

    private static List<(string Name, Kind Kind)> Entries(string folder) =>
    [
        .. new FileSystemEnumerable<(string, Kind)>(
            folder,
            static (ref FileSystemEntry entry) => (
                entry.FileName.ToString(),
                (entry.Attributes & FileAttributes.ReparsePoint) != 0 ? Kind.Link : entry.IsDirectory ? Kind.Folder : Kind.File),
            new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = false }),
    ];

    private void RemoveLink(string path, string relative)
    {
        if (_tablespaces.Contains(relative))
            return; // Made anew when the folders are.
        string? target = new FileInfo(path).LinkTarget;
        File.Delete(path);
        if (relative == WalFolder || relative.StartsWith("pg_tblspc/", StringComparison.Ordinal))
            progress.Warn($"'{relative}' was a link to '{target}'; it was removed, and what lies there was left alone.");
    }

    private void RemoveFileUnlessWanted(string path, string relative)
    {
        if (relative is RestoreDestination.MarkerName or RestoreDestination.OldControlFile or RestoreDestination.ServerOptionsFile)
            return;
        bool stays = wanted.Lists(relative) && !MemberWriter.IsUnwelcome(relative) && !relative.StartsWith(WalFolder + "/", StringComparison.Ordinal);
        if (stays && !OperatingSystem.IsWindows() && Posix.FactsOf(path) is { } facts)
            stays = CanBeKept(facts);
        if (!stays)
            File.Delete(path);
    }

    // A file with a second name (a copy made of hard links, pg_upgrade --link) would be changed under that one too; a pipe or a socket is none; and one that its owner may
    // not write (a key with the permissions 0400), or that is another's, could not be opened.
    private static bool CanBeKept(FileFacts facts) =>
        facts is { Links: 1, IsRegular: true } && (facts.Permissions & UnixFileMode.UserWrite) != 0 && (Posix.IsRoot || facts.User == Posix.User);
}
