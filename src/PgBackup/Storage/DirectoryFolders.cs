using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Storage;

/// <summary>The folders below the root of a directory store: they come with the first object in them, and go with the last.</summary>
internal sealed class DirectoryFolders(string root)
{
    private static readonly EnumerationOptions s_all = new() { AttributesToSkip = 0, IgnoreInaccessible = false, ReturnSpecialDirectories = false };

    /// <summary>Unlike Directory.Exists this throws where we may not look: an archive that cannot be read is not an empty one.</summary>
    public static bool Exists(string path) =>
        OperatingSystem.IsWindows() ? Directory.Exists(path) : Posix.FactsOf(path, followLinks: true) is { IsDirectory: true };

    /// <summary>Makes the folder of an object, with all above it up to the root, durable.</summary>
    public void Create(string folder)
    {
        if (Directory.Exists(folder))
            return;
        string parent = Path.GetDirectoryName(folder) ?? throw PgErrors.RepositoryNotFound(root);
        if (folder.Length > root.Length)
            Create(parent);
        else if (!Directory.Exists(parent))
            throw PgErrors.RepositoryNotFound(root); // A mistyped path or a disk that is not mounted must not become a new repository.
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder);
        else
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute);
        if (Posix.IsRoot)
        {
            (uint user, uint group) = Posix.OwnerOf(parent);
            Posix.ChangeOwner(folder, user, group);
        }
        Posix.SyncDirectory(parent);
    }

    /// <summary>Removes a folder that an object has left, and those above it up to the root, where they are empty.</summary>
    public void RemoveEmpty(string folder)
    {
        while (folder.Length > root.Length)
        {
            string parent = Path.GetDirectoryName(folder)!;
            try
            {
                Posix.SyncDirectory(folder);
                using (IEnumerator<string> entries = Directory.EnumerateFileSystemEntries(folder, "*", s_all).GetEnumerator())
                {
                    if (entries.MoveNext())
                        return;
                }
                if (!TryRemove(folder))
                    return;
                Posix.SyncDirectory(parent);
            }
            catch (DirectoryNotFoundException)
            {
                // Another deletion was faster; those above it may be left to us.
            }
            folder = parent;
        }
    }

    /// <summary>False when the folder is needed again, because somebody put an object there in between, or may not be removed: empty it does no harm.</summary>
    private static bool TryRemove(string folder)
    {
        try
        {
            Directory.Delete(folder);
            return true;
        }
        catch (Exception error) when (error is UnauthorizedAccessException or (IOException and not DirectoryNotFoundException))
        {
            return false;
        }
    }
}
