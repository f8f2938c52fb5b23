using PgBackup.Errors;

namespace PgBackup.Logical.Load;

/// <summary>A private folder for a dump that is put beside; gone when this is disposed of.</summary>
internal sealed class ScratchFolder : IDisposable
{
    private ScratchFolder(string path)
    {
        Path = path;
    }

    public string Path { get; }

    /// <summary>Makes one within a folder. Throws <c>ScratchFolderFailed</c>.</summary>
    public static ScratchFolder Create(string? parent)
    {
        string path = System.IO.Path.Combine(parent ?? System.IO.Path.GetTempPath(), $"pgbackup-restore-{System.IO.Path.GetRandomFileName()}");
        Guard(path, () => OperatingSystem.IsWindows()
            ? Directory.CreateDirectory(path)
            : Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
        return new ScratchFolder(path);
    }

    /// <summary>Runs something on the folder's disk; its failures are <c>ScratchFolderFailed</c>.</summary>
    public static T Guard<T>(string path, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.ScratchFolderFailed(System.IO.Path.GetDirectoryName(path)!, error);
        }
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
