namespace PgBackup.Backup.Publishing;

/// <summary>
/// Bytes that are written, then read once. Kept in pieces: one growing array would take three times its length while it is copied into a larger one.
/// </summary>
internal sealed class ChunkedMemory : Stream
{
    // Below the size from which the collector puts arrays on the large object heap.
    private const int ChunkSize = 64 * 1024;

    private readonly Queue<byte[]> _chunks = new();
    private byte[] _last = [];
    private int _lastLength = ChunkSize;
    private int _readOffset;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            if (_lastLength == ChunkSize)
            {
                _last = new byte[ChunkSize];
                _lastLength = 0;
                _chunks.Enqueue(_last);
            }
            int length = Math.Min(buffer.Length, ChunkSize - _lastLength);
            buffer[..length].CopyTo(_last.AsSpan(_lastLength));
            _lastLength += length;
            buffer = buffer[length..];
        }
    }

    /// <summary>Reads on, and lets go of what was read.</summary>
    public override int Read(Span<byte> buffer)
    {
        if (!_chunks.TryPeek(out byte[]? chunk))
            return 0;
        int end = ReferenceEquals(chunk, _last) ? _lastLength : ChunkSize;
        int length = Math.Min(buffer.Length, end - _readOffset);
        chunk.AsSpan(_readOffset, length).CopyTo(buffer);
        _readOffset += length;
        if (_readOffset == end)
        {
            _chunks.Dequeue();
            _readOffset = 0;
        }
        return length;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromResult(Read(buffer.Span));

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
