using PgBackup.Platform;

namespace PgBackup.Storage;

/// <summary>A file, or a part of it, as a stream of its own; owns the file. Failures are told as the store's.</summary>
internal sealed class RangeStream : ForwardReadStream
{
    private readonly FileStream _file;
    private readonly long _end;
    private readonly Func<Exception, Exception> _failure;
    private long _position;

    public RangeStream(FileStream file, long offset, long? length, Func<Exception, Exception> failure)
    {
        _file = file;
        _failure = failure;
        _position = offset;
        _end = length is null ? long.MaxValue : offset + Math.Min(length.Value, long.MaxValue - offset);
    }

    public override int Read(Span<byte> buffer)
    {
        int wanted = (int)Math.Min(buffer.Length, _end - _position);
        try
        {
            int read = wanted == 0 ? 0 : RandomAccess.Read(_file.SafeFileHandle, buffer[..wanted], _position);
            _position += read;
            return read;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw _failure(error);
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        int wanted = (int)Math.Min(buffer.Length, _end - _position);
        try
        {
            int read = wanted == 0 ? 0 : await RandomAccess.ReadAsync(_file.SafeFileHandle, buffer[..wanted], _position, cancellationToken).ConfigureAwait(false);
            _position += read;
            return read;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw _failure(error);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _file.Dispose();
        base.Dispose(disposing);
    }
}
