using System.Buffers;
using PgBackup.Errors;

namespace PgBackup.Codecs;

/// <summary>
/// A forward-only stream of the plaintext of another stream. The codecs implement one pure step (<see cref="Decode"/>); reading,
/// synchronous or not, is here, and so is the promise that input which ends too early raises <c>ObjectDamaged</c>.
/// </summary>
public abstract class DecodingStream : Stream
{
    // Far above the largest unit that any codec needs in one piece (an LZ4 block of 4 MiB).
    private const int LargestBuffer = 32 << 20;

    private readonly Stream _source;
    private readonly bool _leaveOpen;
    private byte[]? _buffer;
    private int _start;
    private int _end;
    private bool _sourceEnded;

    private protected DecodingStream(Stream source, int bufferSize, string? objectName, bool leaveOpen)
    {
        _source = source;
        _leaveOpen = leaveOpen;
        ObjectName = objectName;
        _buffer = ArrayPool<byte>.Shared.Rent(bufferSize);
    }

    /// <summary>The name of the stored object, for errors.</summary>
    private protected string? ObjectName { get; }

    /// <summary>True when the data may end after the input consumed so far.</summary>
    private protected abstract bool IsComplete { get; }

    /// <inheritdoc/>
    public override bool CanRead => _buffer is not null;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        return Read(buffer.AsSpan(offset, count));
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        int written;
        while (!TryStep(buffer, out written))
            Received(_source.Read(FreeSpace().Span));
        return written;
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        int written;
        while (!TryStep(buffer.Span, out written))
            Received(await _source.ReadAsync(FreeSpace(), cancellationToken).ConfigureAwait(false));
        return written;
    }

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <summary>
    /// Decodes what it can. Nothing consumed and nothing written means that more input is needed. It is called with empty input too,
    /// so that output which is still held back can be written.
    /// </summary>
    private protected abstract void Decode(ReadOnlySpan<byte> input, bool inputEnded, Span<byte> output, out int consumed, out int written);

    private protected PgBackupException Damaged(string reason, Exception? inner = null) => PgErrors.ObjectDamaged(ObjectName, reason, inner);

    private protected PgBackupException Truncated() => Damaged("it ends too early");

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && Interlocked.Exchange(ref _buffer, null) is { } buffer)
        {
            ArrayPool<byte>.Shared.Return(buffer);
            if (!_leaveOpen)
                _source.Dispose();
        }
        base.Dispose(disposing);
    }

    // True with the number of bytes written (0: the end); false when input must be fetched first.
    private bool TryStep(Span<byte> output, out int written)
    {
        ObjectDisposedException.ThrowIf(_buffer is null, this);
        written = 0;
        if (output.IsEmpty)
            return true;
        while (true)
        {
            Decode(_buffer.AsSpan(_start, _end - _start), _sourceEnded, output, out int consumed, out written);
            _start += consumed;
            if (written > 0)
                return true;
            if (consumed > 0)
                continue;
            if (!_sourceEnded)
                return false;
            if (_start == _end && IsComplete)
                return true;
            throw Truncated();
        }
    }

    private Memory<byte> FreeSpace()
    {
        byte[] buffer = _buffer!;
        int kept = _end - _start;
        if (kept == buffer.Length)
        {
            if (buffer.Length >= LargestBuffer)
                throw Damaged("it asks for more memory than any writer uses");
            _buffer = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
        }
        if (_start > 0 || _buffer != buffer)
            buffer.AsSpan(_start, kept).CopyTo(_buffer);
        if (_buffer != buffer)
            ArrayPool<byte>.Shared.Return(buffer);
        (_start, _end) = (0, kept);
        return _buffer.AsMemory(kept);
    }

    private void Received(int count)
    {
        _end += count;
        _sourceEnded = count == 0;
    }
}
