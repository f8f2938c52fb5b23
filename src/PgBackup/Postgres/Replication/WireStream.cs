using System.Buffers;
using System.Buffers.Binary;

namespace PgBackup.Postgres.Replication;

/// <summary>
/// The messages of protocol 3.0 on one connection (PostgreSQL documentation, "Message Formats"). One message is open at a time; its body is read whole or piece
/// by piece, and what is left of it is passed over when the next one is asked for. Not for several threads.
/// </summary>
internal sealed class WireStream(Stream stream) : IAsyncDisposable
{
    // Several CopyData messages of 32 KiB are taken from the socket with one call.
    private const int BufferSize = 256 << 10;

    // No message but CopyData comes near; more is no PostgreSQL at the other end.
    private const int LargestBody = 16 << 20;

    private byte[]? _buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
    private int _start;
    private int _end;

    /// <summary>The bytes of the open message that were not read yet.</summary>
    public int Remaining { get; private set; }

    /// <summary>Opens the next message and returns its type. Throws <see cref="EndOfStreamException"/> when the server has gone.</summary>
    public async ValueTask<char> NextAsync(CancellationToken cancellationToken)
    {
        while (Remaining > 0)
        {
            if (_start == _end)
                await FillAsync(1, cancellationToken).ConfigureAwait(false);
            int passed = Math.Min(Remaining, _end - _start);
            _start += passed;
            Remaining -= passed;
        }
        await FillAsync(5, cancellationToken).ConfigureAwait(false);
        var type = (char)_buffer![_start];
        int length = BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(_start + 1));
        if (length < 4)
            throw new ProtocolViolationException("a message has an impossible length");
        _start += 5;
        Remaining = length - 4;
        return type;
    }

    /// <summary>The rest of the open message.</summary>
    public async ValueTask<byte[]> ReadBodyAsync(CancellationToken cancellationToken)
    {
        if (Remaining > LargestBody)
            throw new ProtocolViolationException($"a message of {Remaining} bytes came where a short one was expected");
        byte[] body = new byte[Remaining];
        for (int filled = 0; filled < body.Length;)
            filled += await ReadAsync(body.AsMemory(filled), cancellationToken).ConfigureAwait(false);
        return body;
    }

    /// <summary>Some bytes of the open message, at least one unless <paramref name="destination"/> is empty; at its end 0.</summary>
    public ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        int wanted = Math.Min(destination.Length, Remaining);
        return wanted == 0 || _start < _end ? new ValueTask<int>(Take(destination.Span[..wanted])) : ReadMoreAsync(destination[..wanted], cancellationToken);
    }

    /// <summary>Sends a message; type 0 for the first of a connection, which has none.</summary>
    public async ValueTask SendAsync(char type, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        int head = type == 0 ? 4 : 5;
        byte[] message = new byte[head + body.Length];
        if (type != 0)
            message[0] = (byte)type;
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(head - 4), body.Length + 4);
        body.Span.CopyTo(message.AsSpan(head));
        await stream.WriteAsync(message, cancellationToken).ConfigureAwait(false);
        await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
        Array.Clear(message); // It may have held a password.
    }

    /// <summary>Closes the connection.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _buffer, null) is { } buffer)
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
        await stream.DisposeAsync().ConfigureAwait(false);
    }

    private async ValueTask<int> ReadMoreAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        await FillAsync(1, cancellationToken).ConfigureAwait(false);
        return Take(destination.Span);
    }

    private int Take(Span<byte> destination)
    {
        int count = Math.Min(destination.Length, _end - _start);
        _buffer.AsSpan(_start, count).CopyTo(destination);
        _start += count;
        Remaining -= count;
        return count;
    }

    private async ValueTask FillAsync(int needed, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_buffer is null, this);
        if (_end - _start >= needed)
            return;
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        (_start, _end) = (0, _end - _start);
        while (_end < needed)
        {
            int count = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken).ConfigureAwait(false);
            _end += count;
            if (count == 0)
                throw new EndOfStreamException("the server closed the connection");
        }
    }
}
