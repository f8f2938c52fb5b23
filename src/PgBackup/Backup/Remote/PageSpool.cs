using PgBackup.Errors;

namespace PgBackup.Backup.Remote;

/// <summary>
/// Holds the content of one relation's file (1 GB at most) until it is known which of its pages are stored: the first 64 MB in memory, the rest in a file without a
/// name that nobody else can open. Used for one file after the other.
/// </summary>
internal sealed class PageSpool : IDisposable
{
    private const int ChunkSize = 1 << 20;
    private const int ChunksInMemory = 64;
    private const long MemoryLimit = (long)ChunkSize * ChunksInMemory;

    private readonly List<byte[]> _chunks = [];
    private FileStream? _file;

    /// <summary>How many bytes from an offset on lie in one piece.</summary>
    public static int MostAt(long offset) => ChunkSize - (int)(offset % ChunkSize);

    /// <summary>Room for the content at an offset, up to <see cref="MostAt"/> bytes; to be kept by <see cref="Commit"/>.</summary>
    public Memory<byte> Reserve(long offset, int length)
    {
        // Beyond the limit the last chunk is a window that Commit writes out.
        int chunk = (int)Math.Min(offset / ChunkSize, ChunksInMemory);
        if (chunk == _chunks.Count)
            _chunks.Add(GC.AllocateUninitializedArray<byte>(ChunkSize));
        return _chunks[chunk].AsMemory((int)(offset % ChunkSize), length);
    }

    /// <summary>Keeps what was put into the room.</summary>
    public void Commit(long offset, ReadOnlySpan<byte> content)
    {
        if (offset < MemoryLimit)
            return;
        try
        {
            RandomAccess.Write((_file ??= Open()).SafeFileHandle, content, offset - MemoryLimit);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.TemporaryFileFailed(Path.GetTempPath(), error);
        }
    }

    /// <summary>Reads content back; it does not go beyond one chunk.</summary>
    public void Read(long offset, Span<byte> buffer)
    {
        if (offset < MemoryLimit)
        {
            _chunks[(int)(offset / ChunkSize)].AsSpan((int)(offset % ChunkSize), buffer.Length).CopyTo(buffer);
            return;
        }
        try
        {
            for (int done = 0; done < buffer.Length;)
            {
                int read = RandomAccess.Read(_file!.SafeFileHandle, buffer[done..], offset - MemoryLimit + done);
                done += read > 0 ? read : throw new EndOfStreamException("The temporary file is shorter than what was written into it.");
            }
        }
        catch (IOException error)
        {
            throw PgErrors.TemporaryFileFailed(Path.GetTempPath(), error);
        }
    }

    public void Dispose() => _file?.Dispose();

    private static FileStream Open()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.None | FileShare.Delete, Options = FileOptions.DeleteOnClose };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var file = new FileStream(path, options);
        if (!OperatingSystem.IsWindows())
            File.Delete(path); // It stays usable, and goes with the process whatever ends that.
        return file;
    }
}
