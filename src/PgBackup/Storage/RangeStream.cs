using PgBackup.Platform;

namespace PgBackup.Storage;

/// <summary>A part of a file as a stream of its own; owns the file.</summary>
internal sealed class RangeStream : ForwardReadStream
{
    private readonly FileStream _file;
    private readonly long _end;
    private long _position;

    public RangeStream(FileStream file, long offset, long? length)
    {
        _file = file;
        long size = file.Length;
        _position = Math.Min(offset, size);
        _end = length is null ? size : Math.Min(size, _position + length.Value);
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

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _file.Dispose();
        base.Dispose(disposing);
    }
}
