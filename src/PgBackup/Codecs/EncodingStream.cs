using System.Buffers;

namespace PgBackup.Codecs;

/// <summary>
/// A write-only stream that encodes into another one. What it wrote is complete only once it was disposed; after a failure of the destination
/// it is not completed. Whoever fails to produce the plaintext must throw the destination's content away.
/// </summary>
public abstract class EncodingStream : Stream
{
    private const int SendThreshold = 512 << 10;

    private readonly Stream _destination;
    private readonly bool _leaveOpen;
    private readonly ArrayBufferWriter<byte> _output = new();
    private bool _disposed;
    private bool _failed;

    private protected EncodingStream(Stream destination, bool leaveOpen)
    {
        ArgumentNullException.ThrowIfNull(destination);
        _destination = destination;
        _leaveOpen = leaveOpen;
    }

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => !_disposed;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        Write(buffer.AsSpan(offset, count));
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        while (!buffer.IsEmpty)
        {
            buffer = buffer[Encode(buffer, _output)..];
            if (_output.WrittenCount >= SendThreshold)
                Send();
        }
    }

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        while (!buffer.IsEmpty)
        {
            buffer = buffer[Encode(buffer.Span, _output)..];
            if (_output.WrittenCount >= SendThreshold)
                await SendAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Does nothing: the encoded bytes are sent in large pieces, and when the stream is disposed.</summary>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (!_disposed)
        {
            _disposed = true;
            try
            {
                if (!_failed)
                {
                    Complete(_output);
                    await SendAsync(CancellationToken.None).ConfigureAwait(false);
                }
            }
            finally
            {
                Release();
                if (!_leaveOpen)
                    await _destination.DisposeAsync().ConfigureAwait(false);
            }
        }
        await base.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Takes some of the plaintext, at most a few MiB at once, and may write to <paramref name="output"/>.</summary>
    /// <returns>How many bytes were taken; never 0.</returns>
    private protected abstract int Encode(ReadOnlySpan<byte> plaintext, IBufferWriter<byte> output);

    /// <summary>Writes what is held back, and the end.</summary>
    private protected abstract void Complete(IBufferWriter<byte> output);

    /// <summary>Frees what the encoder holds; called once.</summary>
    private protected abstract void Release();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && !_disposed)
        {
            _disposed = true;
            try
            {
                if (!_failed)
                {
                    Complete(_output);
                    Send();
                }
            }
            finally
            {
                Release();
                if (!_leaveOpen)
                    _destination.Dispose();
            }
        }
        base.Dispose(disposing);
    }

    private void Send()
    {
        _failed = true;
        _destination.Write(_output.WrittenSpan);
        _failed = false;
        _output.ResetWrittenCount();
    }

    private async ValueTask SendAsync(CancellationToken cancellationToken)
    {
        _failed = true;
        await _destination.WriteAsync(_output.WrittenMemory, cancellationToken).ConfigureAwait(false);
        _failed = false;
        _output.ResetWrittenCount();
    }
}
