using System.Buffers.Binary;
using System.Globalization;

namespace PgBackup.Postgres.Replication;

/// <summary>What a stream of WAL gives.</summary>
internal enum WalStreamItemKind
{
    /// <summary>Some bytes of the log.</summary>
    Data,

    /// <summary>The server says that it lives.</summary>
    Keepalive,

    /// <summary>The timeline ends here: <see cref="WalStream.FinishAsync"/> tells the next one.</summary>
    EndOfTimeline,

    /// <summary>The server goes down; it has sent all that it has.</summary>
    ServerStops,
}

/// <summary>One item of a stream of WAL.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Position">The LSN of the first byte; for a keepalive the server's end of WAL.</param>
/// <param name="Length">How many bytes there are.</param>
/// <param name="ReplyRequested">Whether the server waits for an answer.</param>
internal readonly record struct WalStreamItem(WalStreamItemKind Kind, Lsn Position = default, int Length = 0, bool ReplyRequested = false);

/// <summary>
/// WAL as it is written, by START_REPLICATION (PostgreSQL documentation, "Streaming Replication Protocol"). Read by one thread; statuses may be sent from any. Failures come as
/// they are, for <see cref="ReplicationConnection.Translate"/>.
/// </summary>
internal sealed class WalStream
{
    private static readonly DateTimeOffset s_epoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly CommandChannel _channel;
    private readonly WireStream _wire;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly byte[] _head = new byte[25];
    private Lsn _position;
    private bool _isCopying;

    private WalStream(CommandChannel channel, WireStream wire, bool isCopying)
    {
        _channel = channel;
        _wire = wire;
        _isCopying = isCopying;
    }

    public static async Task<WalStream> BeginAsync(CommandChannel channel, WireStream wire, string command, CancellationToken cancellationToken)
    {
        await channel.SendAsync(command, cancellationToken).ConfigureAwait(false);
        char type = await channel.NextAsync(cancellationToken).ConfigureAwait(false);
        return type switch
        {
            'W' => new WalStream(channel, wire, isCopying: true),
            // Nothing is left of the timeline: what comes next is told at once.
            'T' => new WalStream(channel, wire, isCopying: false),
            _ => throw new ProtocolViolationException($"a message of type '{type}' came in place of 'W'"),
        };
    }

    /// <summary>The next bytes, at most as many as the buffer takes, or what else the server says.</summary>
    public async ValueTask<WalStreamItem> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (!_isCopying)
            return new WalStreamItem(WalStreamItemKind.EndOfTimeline);
        while (true)
        {
            if (_wire.Remaining > 0 && _head[0] == (byte)'w')
            {
                int count = await _wire.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                Lsn position = _position;
                _position += (ulong)count;
                return new WalStreamItem(WalStreamItemKind.Data, position, count);
            }
            _head[0] = 0;
            switch (await _channel.NextAsync(cancellationToken).ConfigureAwait(false))
            {
                case 'd':
                    await FillAsync(0, 1, cancellationToken).ConfigureAwait(false);
                    switch ((char)_head[0])
                    {
                        case 'w':
                            await FillAsync(1, 24, cancellationToken).ConfigureAwait(false);
                            _position = new Lsn(BinaryPrimitives.ReadUInt64BigEndian(_head.AsSpan(1)));
                            break;
                        case 'k':
                            await FillAsync(1, 17, cancellationToken).ConfigureAwait(false);
                            return new WalStreamItem(
                                WalStreamItemKind.Keepalive, new Lsn(BinaryPrimitives.ReadUInt64BigEndian(_head.AsSpan(1))), ReplyRequested: _head[17] != 0);
                        default:
                            throw new ProtocolViolationException("a message came among the WAL that is neither WAL nor a keepalive");
                    }
                    break;
                case 'c':
                    return new WalStreamItem(WalStreamItemKind.EndOfTimeline);
                case 'C':
                    return new WalStreamItem(WalStreamItemKind.ServerStops);
                case var other:
                    throw new ProtocolViolationException($"a message of type '{other}' came among the WAL");
            }
        }
    }

    /// <summary>
    /// Tells the server what is durable: as written and as flushed. Nothing is ever applied here, and a position that says so would let commits pass that wait for
    /// <c>remote_apply</c>; as pg_receivewal does, none is told.
    /// </summary>
    public async Task SendStatusAsync(Lsn durable, bool requestReply, CancellationToken cancellationToken)
    {
        byte[] body = new byte[34];
        body[0] = (byte)'r';
        BinaryPrimitives.WriteUInt64BigEndian(body.AsSpan(1), durable.Value);
        BinaryPrimitives.WriteUInt64BigEndian(body.AsSpan(9), durable.Value);
        BinaryPrimitives.WriteInt64BigEndian(body.AsSpan(25), (DateTimeOffset.UtcNow - s_epoch).Ticks / TimeSpan.TicksPerMicrosecond);
        body[33] = (byte)(requestReply ? 1 : 0);
        await SendAsync('d', body, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Says that nothing more is wanted; the connection is then disposed of.</summary>
    public Task LeaveAsync(CancellationToken cancellationToken) => SendAsync('c', ReadOnlyMemory<byte>.Empty, cancellationToken);

    /// <summary>Behind the end of a timeline: the next one and where it begins. The connection is then ready for the next command.</summary>
    public async Task<(TimelineId Timeline, Lsn Start)> FinishAsync(CancellationToken cancellationToken)
    {
        List<string?[]> rows;
        if (_isCopying)
        {
            _isCopying = false;
            await SendAsync('c', ReadOnlyMemory<byte>.Empty, cancellationToken).ConfigureAwait(false);
            rows = await _channel.ReadRowsAsync(cancellationToken).ConfigureAwait(false);
        }
        else
        {
            rows = await _channel.ReadRowsAfterDescriptionAsync(cancellationToken).ConfigureAwait(false);
        }
        while (await _channel.NextAsync(cancellationToken).ConfigureAwait(false) != 'Z')
        {
            // CommandComplete.
        }
        return rows is [[{ } timeline, { } start, ..]] && uint.TryParse(timeline, NumberStyles.None, CultureInfo.InvariantCulture, out uint id) && id > 0
            && Lsn.TryParse(start, null, out Lsn lsn)
            ? (new TimelineId(id), lsn)
            : throw new ProtocolViolationException("it does not say which timeline follows");
    }

    private async Task SendAsync(char type, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await _wire.SendAsync(type, body, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _sending.Release();
        }
    }

    private async ValueTask FillAsync(int offset, int count, CancellationToken cancellationToken)
    {
        for (int filled = 0; filled < count;)
        {
            int read = await _wire.ReadAsync(_head.AsMemory(offset + filled, count - filled), cancellationToken).ConfigureAwait(false);
            filled += read > 0 ? read : throw new ProtocolViolationException("a message ends too early");
        }
    }
}
