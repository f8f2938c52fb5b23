using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PgBackup.Platform;

/// <summary>
/// One file system, to be made durable as a whole: everything that was written to it since this was opened, by one call instead of one for each of a
/// million files (PostgreSQL offers the same as <c>recovery_init_sync_method = syncfs</c>). Linux only.
/// </summary>
internal sealed partial class PosixFileSystem : IDisposable
{
    private readonly SafeFileHandle _folder;
    private readonly string _path;

    private PosixFileSystem(SafeFileHandle folder, string path)
    {
        _folder = folder;
        _path = path;
    }

    /// <summary>
    /// True where <c>syncfs</c> reports errors of writing back (Linux 5.8 and later; syncfs(2)). Elsewhere every file has to be synced by itself.
    /// </summary>
    public static bool IsSupported { get; } = OperatingSystem.IsLinux() && Environment.OSVersion.Version >= new Version(5, 8);

    /// <summary>Opens a folder of the file system; errors of writing back are seen from this moment on.</summary>
    public static PosixFileSystem Open(string folder)
    {
        int handle = OpenFolder(folder, 0x10000 | 0x80000 /* O_DIRECTORY | O_CLOEXEC */);
        return handle >= 0
            ? new PosixFileSystem(new SafeFileHandle(handle, ownsHandle: true), folder)
            : throw new IOException($"Could not open the folder '{folder}': {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
    }

    /// <summary>Returns when everything is on the disk.</summary>
    public void Sync()
    {
        if (SyncFs(_folder) != 0)
            throw new IOException($"Could not sync the file system of '{_path}': {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
    }

    public void Dispose() => _folder.Dispose();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFolder(string path, int flags);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFs(SafeFileHandle handle);
}
