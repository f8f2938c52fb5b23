namespace PgBackup.Storage;

/// <summary>A part of a file as a stream of its own; owns the file.</summary>
internal sealed class RangeStream : Stream
{
    private readonly FileStream _file;
    private readonly long _start;
    private readonly long _end;
    private long _position;

    public RangeStream(FileStream file, long offset, long? length)
    {
        _file = file;
        long size = file.Length;
        _start = Math.Min(offset, size);
        _end = length is null ? size : Math.Min(size, _start + length.Value);
        _position = _start;
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => _end - _start;

    public override long Position
    {
        get => _position - _start;
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        int wanted = (int)Math.Min(buffer.Length, _end - _position);
        int read = wanted == 0 ? 0 : RandomAccess.Read(_file.SafeFileHandle, buffer[..wanted], _position);
        _position += read;
        return read;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int wanted = (int)Math.Min(buffer.Length, _end - _position);
        int read = wanted == 0 ? 0 : await RandomAccess.ReadAsync(_file.SafeFileHandle, buffer[..wanted], _position, cancellationToken).ConfigureAwait(false);
        _position += read;
        return read;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _file.Dispose();
        base.Dispose(disposing);
    }
}
