using Microsoft.Win32.SafeHandles;
using PgBackup.Backup.Reading;
using PgBackup.Platform;

namespace PgBackup.Backup.Packing;

/// <summary>A file that is packed in several frames: opened once, read by several workers, closed by whoever is the last.</summary>
internal sealed class BigFile : IDisposable
{
    private int _users = 1;

    public BigFile(DataDirectoryEntry entry, SafeFileHandle handle, FileFacts facts)
    {
        Entry = entry;
        Handle = handle;
        Facts = facts;
    }

    public DataDirectoryEntry Entry { get; }

    public SafeFileHandle Handle { get; }

    /// <summary>Its facts when it was opened; the size in the tar header is fixed by them, whatever becomes of the file.</summary>
    public FileFacts Facts { get; }

    public CorruptBlocks CorruptBlocks { get; } = new();

    public void AddUser() => Interlocked.Increment(ref _users);

    public void Dispose()
    {
        if (Interlocked.Decrement(ref _users) == 0)
            Handle.Dispose();
    }
}
