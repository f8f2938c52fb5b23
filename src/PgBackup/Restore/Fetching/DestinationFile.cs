using Microsoft.Win32.SafeHandles;
using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Restore.Fetching;

/// <summary>An open file of the destination; pieces may be written from several threads.</summary>
internal sealed class DestinationFile(string path, SafeFileHandle handle) : IDisposable
{
    // The kernel begins to write such pieces back at once, so that the sync at the end finds little left to do.
    private const int WriteBackFrom = 1 << 20;

    /// <summary>The full path.</summary>
    public string Path { get; } = path;

    /// <summary>The open file, for who writes by himself.</summary>
    public SafeFileHandle Handle { get; } = handle;

    /// <summary>Writes a piece where it belongs. Throws <c>RestoreWriteFailed</c>.</summary>
    public void Write(ReadOnlySpan<byte> piece, long offset)
    {
        try
        {
            RandomAccess.Write(Handle, piece, offset);
            if (piece.Length >= WriteBackFrom)
                Posix.BeginWriteBack(Handle, offset, piece.Length);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.RestoreWriteFailed(Path, error);
        }
    }

    /// <summary>Closes it.</summary>
    public void Dispose() => Handle.Dispose();
}
