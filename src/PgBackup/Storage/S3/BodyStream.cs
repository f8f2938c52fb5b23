namespace PgBackup.Storage.S3;

/// <summary>
/// A buffer as a request's body. Unless its SHA-256 is to be signed, it is not seekable when the signature is made: of a body that it cannot
/// read twice the SDK signs <c>UNSIGNED-PAYLOAD</c>, also over plain HTTP, and a pass of SHA-256 (dear without the processor's help) is
/// spared. The body is not unguarded for that: its Content-MD5 is among the signed headers.
/// </summary>
internal sealed class BodyStream(SegmentBuffer content, bool isSigned, StallGuard guard) : Stream
{
    private bool _canSeek = true;
    private long _position;

    public override bool CanRead => true;

    public override bool CanSeek => _canSeek;

    public override bool CanWrite => false;

    public override long Length => content.Length;

    public override long Position
    {
        get => _position;
        set => _position = _canSeek ? value : throw new NotSupportedException();
    }

    /// <summary>The request is complete but for its signature.</summary>
    public void BeforeSignature()
    {
        _position = 0;
        _canSeek = isSigned;
    }

    public override int Read(Span<byte> buffer)
    {
        guard.Moved();
        ReadOnlySpan<byte> bytes = content.At(_position).Span;
        int count = Math.Min(bytes.Length, buffer.Length);
        bytes[..count].CopyTo(buffer);
        _position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        cancellationToken.IsCancellationRequested ? ValueTask.FromCanceled<int>(cancellationToken) : new(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _position + offset,
        _ => Length + offset,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
