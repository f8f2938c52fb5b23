using System.IO.Hashing;
using System.Security.Cryptography;

namespace PgBackup.Storage.S3;

/// <summary>Bytes in memory, in segments: a part of an upload, or a range of a download.</summary>
internal sealed class SegmentBuffer : IDisposable
{
    private readonly BufferBudget _budget;
    private readonly List<byte[]> _segments = [];

    public SegmentBuffer(BufferBudget budget) => _budget = budget;

    /// <summary>The bytes in it.</summary>
    public long Length { get; private set; }

    /// <summary>Appends bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> free = FreeMemory().Span;
            int count = Math.Min(free.Length, bytes.Length);
            bytes[..count].CopyTo(free);
            Advance(count);
            bytes = bytes[count..];
        }
    }

    /// <summary>Where the next bytes go; never empty.</summary>
    public Memory<byte> FreeMemory()
    {
        int used = (int)(Length - ((long)(_segments.Count - 1) * Segment.Size));
        if (_segments.Count == 0 || used == Segment.Size)
        {
            _segments.Add(Segment.Take());
            _budget.Add(Segment.Size);
            used = 0;
        }
        return _segments[^1].AsMemory(used);
    }

    /// <summary>Tells how many bytes went into <see cref="FreeMemory"/>.</summary>
    public void Advance(int count) => Length += count;

    /// <summary>The bytes from <paramref name="position"/> on that lie together; empty at the end.</summary>
    public ReadOnlyMemory<byte> At(long position)
    {
        if (position >= Length)
            return ReadOnlyMemory<byte>.Empty;
        int index = (int)(position / Segment.Size), start = (int)(position % Segment.Size);
        return _segments[index].AsMemory(start, (int)Math.Min(Segment.Size - start, Length - position));
    }

    /// <summary>Its digests: the MD5 that goes with the request and into the ETag, and the CRC-32 (big endian, as S3 writes it).</summary>
    public (byte[] Md5, byte[] Crc32) Digest()
    {
        using var md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        var crc = new Crc32();
        for (long position = 0; position < Length;)
        {
            ReadOnlySpan<byte> bytes = At(position).Span;
            md5.AppendData(bytes);
            crc.Append(bytes);
            position += bytes.Length;
        }
        byte[] value = crc.GetCurrentHash();
        Array.Reverse(value);
        return (md5.GetHashAndReset(), value);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        foreach (byte[] segment in _segments)
            Segment.Return(segment);
        _budget.Remove((long)_segments.Count * Segment.Size);
        _segments.Clear();
        Length = 0;
    }
}
