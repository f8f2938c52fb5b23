using Microsoft.Win32.SafeHandles;
using PgBackup.Errors;
using PgBackup.Postgres.WalRecords;

namespace PgBackup.Repository;

/// <summary>A WAL file on disk that was opened and found to be what its name says.</summary>
internal sealed class LocalWalFile : IDisposable
{
    /// <summary>What a file that is being written has behind its name: one for each name, so that what a killed fetch left is overwritten by the next one.</summary>
    public const string PartSuffix = ".pgbackup-part";

    private readonly SafeFileHandle _handle;
    private readonly DateTime _modified;

    private LocalWalFile(string path, WalFileName name, SafeFileHandle handle, long length, DateTime modified, WalSegmentHeader? header)
    {
        Path = path;
        Name = name;
        _handle = handle;
        Length = length;
        _modified = modified;
        Header = header;
    }

    public string Path { get; }

    public WalFileName Name { get; }

    /// <summary>The size in bytes.</summary>
    public long Length { get; }

    /// <summary>What the first page says; null for text files.</summary>
    public WalSegmentHeader? Header { get; }

    /// <summary>True when size or time of the file differ from when it was opened.</summary>
    public bool HasChanged
    {
        get
        {
            try
            {
                return RandomAccess.GetLength(_handle) != Length || File.GetLastWriteTimeUtc(_handle) != _modified;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw PgErrors.WalFileUnreadable(Path, error);
            }
        }
    }

    /// <summary>Throws <c>WalFileNameInvalid</c>, <c>WalFileUnreadable</c>, <c>WalFileInvalid</c>.</summary>
    public static LocalWalFile Open(string path)
    {
        string text = System.IO.Path.GetFileName(path);
        if (!WalFileName.TryParse(text, out WalFileName? name))
            throw PgErrors.WalFileNameInvalid(text);
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);
            long length = RandomAccess.GetLength(handle);
            byte[] head = new byte[(int)Math.Min(length, WalContent.HeadSize)];
            int read = ReadFully(handle, head, 0);
            if (WalContent.FindFault(name, head.AsSpan(0, read), length, out WalSegmentHeader? header) is { } fault)
                throw PgErrors.WalFileInvalid(path, fault);
            return new LocalWalFile(path, name, handle, length, File.GetLastWriteTimeUtc(handle), header);
        }
        catch (Exception error)
        {
            handle?.Dispose();
            if (error is IOException or UnauthorizedAccessException or NotSupportedException)
                throw PgErrors.WalFileUnreadable(path, error);
            throw;
        }
    }

    /// <summary>Fills the buffer from <paramref name="offset"/> on; less only at the end of the file.</summary>
    public int Read(Span<byte> buffer, long offset)
    {
        try
        {
            return ReadFully(_handle, buffer, offset);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.WalFileUnreadable(Path, error);
        }
    }

    public void Dispose() => _handle.Dispose();

    private static int ReadFully(SafeFileHandle handle, Span<byte> buffer, long offset)
    {
        int total = 0;
        while (total < buffer.Length)
        {
            int read = RandomAccess.Read(handle, buffer[total..], offset + total);
            if (read == 0)
                break;
            total += read;
        }
        return total;
    }
}
