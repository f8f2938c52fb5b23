using Microsoft.Win32.SafeHandles;
using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Restore.Fetching;

/// <summary>An open file of the destination; pieces may be written from several threads.</summary>
/// <param name="path">The full path.</param>
/// <param name="handle">The file, opened for writing; closed with this.</param>
/// <param name="onWrite">Told of each write: the path, where, how many bytes.</param>
internal sealed class DestinationFile(string path, SafeFileHandle handle, Action<string, long, int>? onWrite = null) : IDisposable
{
    // Such pieces go past the page cache, or else the kernel begins to write them back at once: the sync at the end finds little left to do.
    private const int BigFrom = 1 << 20;

    private readonly Lazy<DirectFile?> _direct = new(() => DirectFile.TryOpen(path));

    /// <summary>The full path.</summary>
    public string Path { get; } = path;

    /// <summary>Writes a piece where it belongs. Throws <c>RestoreWriteFailed</c>.</summary>
    public void Write(ReadOnlySpan<byte> piece, long offset)
    {
        onWrite?.Invoke(Path, offset, piece.Length);
        WritePiece(piece, offset);
    }

    /// <summary>Makes the file so long; what is added is zero. Throws <c>RestoreWriteFailed</c>.</summary>
    public void SetLength(long length)
    {
        try
        {
            RandomAccess.SetLength(handle, length);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.RestoreWriteFailed(Path, error);
        }
    }

    /// <summary>Gives the file, once it is written, the time that it had: the next delta backup goes by it. Throws <c>RestoreWriteFailed</c>.</summary>
    public void SetModified(FileTime time)
    {
        try
        {
            if (OperatingSystem.IsWindows())
                File.SetLastWriteTimeUtc(handle, time.ToDateTimeOffset().UtcDateTime);
            else
                Posix.SetModified(handle, time);
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
        handle.Dispose();
    }

    private void WritePiece(ReadOnlySpan<byte> piece, long offset)
    {
        try
        {
            int done = piece.Length >= BigFrom && _direct.Value is { } direct ? direct.Write(piece, offset) : 0;
            if (done == piece.Length)
                return;
            RandomAccess.Write(handle, piece[done..], offset + done);
            if (piece.Length - done >= BigFrom)
                Posix.BeginWriteBack(handle, offset + done, piece.Length - done);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.RestoreWriteFailed(Path, error);
        }
    }
}
