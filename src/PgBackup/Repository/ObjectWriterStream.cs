using System.Buffers;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>An object in flight as a stream; collects small writes.</summary>
internal sealed class ObjectWriterStream(ObjectWriter writer, CancellationToken cancellationToken) : Stream
{
    private const int FlushFrom = 1 << 20;

    private readonly ArrayBufferWriter<byte> _pending = new(FlushFrom);

    /// <summary>The bytes that the object has got so far.</summary>
    public long Written { get; private set; }

    public override bool CanRead => false;

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
        _pending.Write(buffer);
        if (_pending.WrittenCount >= FlushFrom)
            SendAsync().AsTask().GetAwaiter().GetResult(); // Compressors flush synchronously when they are disposed.
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken token = default)
    {
        _pending.Write(buffer.Span);
        if (_pending.WrittenCount >= FlushFrom)
            await SendAsync().ConfigureAwait(false);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken token) => WriteAsync(buffer.AsMemory(offset, count), token).AsTask();

    // Compressors flush often; the object is written out in large pieces, and at the end.
    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken token) => SendAsync().AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private async ValueTask SendAsync()
    {
        if (_pending.WrittenCount == 0)
            return;
        await writer.WriteAsync(_pending.WrittenMemory, cancellationToken).ConfigureAwait(false);
        Written += _pending.WrittenCount;
        _pending.ResetWrittenCount();
    }
}
