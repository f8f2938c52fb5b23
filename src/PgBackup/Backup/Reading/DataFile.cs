using Microsoft.Win32.SafeHandles;
using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Backup.Reading;

/// <summary>Opens and reads files that a running server writes.</summary>
internal static class DataFile
{
    /// <summary>Opens a file without locking anybody out; null when it has vanished.</summary>
    public static SafeFileHandle? TryOpen(string path)
    {
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.DataFileUnreadable(path, error);
        }
    }

    /// <summary>The facts of an open file.</summary>
    public static FileFacts FactsOf(SafeFileHandle handle, string path)
    {
        try
        {
            return Posix.FactsOf(handle);
        }
        catch (IOException error)
        {
            throw PgErrors.DataFileUnreadable(path, error);
        }
    }

    /// <summary>Fills the buffer from an offset on; what lies behind the file's end is zero: a file that shrank is cut again by replay.</summary>
    public static void Read(SafeFileHandle handle, string path, long offset, Span<byte> buffer)
    {
        int done = 0;
        try
        {
            while (done < buffer.Length)
            {
                int read = RandomAccess.Read(handle, buffer[done..], offset + done);
                if (read == 0)
                    break;
                done += read;
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.DataFileUnreadable(path, error);
        }
        buffer[done..].Clear();
    }
}
