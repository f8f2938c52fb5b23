using Microsoft.Win32.SafeHandles;
using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Restore.Fetching;

/// <summary>An open file of the destination; pieces may be written from several threads.</summary>
internal sealed class DestinationFile(string path, SafeFileHandle handle) : IDisposable
{
    // Such pieces go past the page cache, or else the kernel begins to write them back at once: the sync at the end finds little left to do.
    private const int BigFrom = 1 << 20;

    private readonly Lazy<DirectFile?> _direct = new(() => DirectFile.TryOpen(path));

    /// <summary>The full path.</summary>
    public string Path { get; } = path;

    /// <summary>The open file, for who writes by himself.</summary>
    public SafeFileHandle Handle { get; } = handle;

    /// <summary>Writes a piece where it belongs. Throws <c>RestoreWriteFailed</c>.</summary>
    public void Write(ReadOnlySpan<byte> piece, long offset)
    {
        try
        {
            int done = piece.Length >= BigFrom && _direct.Value is { } direct ? direct.Write(piece, offset) : 0;
            if (done == piece.Length)
                return;
            RandomAccess.Write(Handle, piece[done..], offset + done);
            if (piece.Length - done >= BigFrom)
                Posix.BeginWriteBack(Handle, offset + done, piece.Length - done);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.RestoreWriteFailed(Path, error);
        }
    }

    /// <summary>Closes it.</summary>
    public void Dispose()
    {
        if (_direct.IsValueCreated)
            _direct.Value?.Dispose();
        Handle.Dispose();
    }
}
