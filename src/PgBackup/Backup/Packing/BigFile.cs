using Microsoft.Win32.SafeHandles;
using PgBackup.Backup.Reading;
using PgBackup.Platform;

namespace PgBackup.Backup.Packing;

/// <summary>A file, or an increment of one, that is packed in several frames: opened once, read by several workers, closed by whoever is the last.</summary>
internal sealed class BigFile : IDisposable
{
    private int _users = 1;

    public BigFile(DataDirectoryEntry entry, SafeFileHandle handle, FileFacts facts, Increment? increment, bool notesVisible)
    {
        Entry = entry;
        Handle = handle;
        Facts = facts;
        Increment = increment;
        Notes = increment?.Notes ?? new PageNotes(notesVisible);
    }

    public DataDirectoryEntry Entry { get; }

    public SafeFileHandle Handle { get; }

    /// <summary>Its facts when it was opened; the size in the tar header is fixed by them, whatever becomes of the file.</summary>
    public FileFacts Facts { get; }

    /// <summary>The pages that are packed; null when the whole file is.</summary>
    public Increment? Increment { get; }

    /// <summary>The bytes of the member.</summary>
    public long ContentLength => Increment?.Length ?? Facts.Size;

    /// <summary>The bytes of the member that stand in the frame of its header: of an increment all that precedes the pages, so that a reader knows them from there.</summary>
    public int LengthBesideHeader => Increment?.HeaderLength ?? 0;

    public PageNotes Notes { get; }

    public void AddUser() => Interlocked.Increment(ref _users);

    public void Dispose()
    {
        if (Interlocked.Decrement(ref _users) == 0)
            Handle.Dispose();
    }
}
