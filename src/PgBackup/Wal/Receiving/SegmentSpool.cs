using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using PgBackup.Errors;

namespace PgBackup.Wal.Receiving;

/// <summary>A segment as far as it was received, in a file. Written by one thread, read by another.</summary>
internal sealed class SegmentSpool : IDisposable
{
    private readonly string _folder;
    private readonly byte[] _before = new byte[64 << 10];
    private int _length;
    private long _waitingSince;

    public SegmentSpool(string folder, WalSegmentName name, WalSegmentSize size)
    {
        _folder = folder;
        Name = name;
        Size = size;
        Start = name.StartFor(size);
        Path = System.IO.Path.Combine(folder, name.ToString());
        try
        {
            Handle = File.OpenHandle(Path, FileMode.Create, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.WalSpoolFailed(folder, error);
        }
    }

    public WalSegmentName Name { get; }

    public WalSegmentSize Size { get; }

    public string Path { get; }

    public SafeFileHandle Handle { get; }

    /// <summary>The segment's first LSN.</summary>
    public Lsn Start { get; }

    /// <summary>The LSN behind the segment.</summary>
    public Lsn End => Start + (ulong)Size.Bytes;

    /// <summary>How many bytes from the start on are there.</summary>
    public int Length => Volatile.Read(ref _length);

    /// <summary>The LSN behind what is there.</summary>
    public Lsn Received => Start + (ulong)Length;

    public bool IsFull => Length == Size.Bytes;

    /// <summary>How many of the bytes are durable in the repository; for the one that stores.</summary>
    public int Durable { get; private set; }

    /// <summary>The whole segment is in the archive; for the one that stores.</summary>
    public bool IsStored { get; set; }

    /// <summary>When the first byte came.</summary>
    public DateTimeOffset ReceivedTime { get; private set; } = DateTimeOffset.UtcNow;

    /// <summary>For how long the oldest byte that is not durable has waited; null when there is none.</summary>
    public TimeSpan? Waiting => Length > Durable ? Stopwatch.GetElapsedTime(Volatile.Read(ref _waitingSince)) : null;

    /// <summary>Takes over what the pieces in the repository hold.</summary>
    public void Resume(int length)
    {
        Durable = length;
        Volatile.Write(ref _length, length);
    }

    /// <summary>
    /// Adds bytes. Those that are there already must be the same: they come again after a connection was lost, and they tell whether this is still the server that wrote the
    /// rest. The number of the first byte that differs, or -1; what was there stays.
    /// </summary>
    public int Append(int offset, ReadOnlySpan<byte> content)
    {
        int length = _length;
        try
        {
            while (offset < length && !content.IsEmpty)
            {
                int count = Math.Min(Math.Min(length - offset, content.Length), _before.Length);
                int read = RandomAccess.Read(Handle, _before.AsSpan(0, count), offset);
                if (read == 0)
                    throw new EndOfStreamException("The temporary file is shorter than what was written into it.");
                if (!_before.AsSpan(0, read).SequenceEqual(content[..read]))
                    return offset + _before.AsSpan(0, read).CommonPrefixLength(content[..read]);
                offset += read;
                content = content[read..];
            }
            if (content.IsEmpty)
                return -1;
            RandomAccess.Write(Handle, content, offset);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.WalSpoolFailed(_folder, error);
        }
        if (length == 0)
            ReceivedTime = DateTimeOffset.UtcNow;
        if (length == Durable)
            Volatile.Write(ref _waitingSince, Stopwatch.GetTimestamp());
        Volatile.Write(ref _length, offset + content.Length);
        return -1;
    }

    /// <summary>Notes that the bytes up to an offset are durable; those behind it came after the storing began, at <paramref name="began"/>.</summary>
    public void MarkDurable(int end, long began)
    {
        Volatile.Write(ref _waitingSince, began);
        Durable = end;
    }

    public void Dispose()
    {
        Handle.Dispose();
        File.Delete(Path);
    }
}
