using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Postgres.Replication;

namespace PgBackup.Wal.Receiving;

/// <summary>
/// One connection that streams: reads, and tells the server from time to time what is durable, whether or not anything comes and however slow the store is.
/// </summary>
internal sealed class ReceiveSession(ReplicationConnection connection, WalReceiveOptions options, WalKeeper keeper, IProgress<OperationProgress> progress)
{
    private const int BufferSize = 256 << 10;

    private static readonly TimeSpan s_statusPause = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(30);

    private readonly byte[] _buffer = new byte[BufferSize];
    private TimeSpan _statusPause = s_statusPause;
    private WalStream? _stream;
    private long _readingSince; // 0 while nothing is read.
    private volatile bool _isAnswered;

    /// <summary>True once the server streams on this connection.</summary>
    public bool HasStarted => _stream is not null;

    /// <summary>
    /// What the server may hear to be durable. Before its first word on this connection nothing: a slot follows what it hears also backwards, and behind a gap it would reserve WAL that is gone.
    /// </summary>
    private Lsn Told => _isAnswered ? keeper.Durable : Lsn.Zero;

    /// <summary>True once WAL came on this connection.</summary>
    public bool HasReceived { get; private set; }

    /// <summary>
    /// Streams the keeper's timeline from where it stands. Returns why it ended; everything that was received of a timeline that has ended is durable then. Failures come as they
    /// are, for <see cref="ReceiveErrors"/>.
    /// </summary>
    public async Task<StreamEnd> RunAsync(CancellationToken cancellationToken)
    {
        if (options.Until?.Lsn <= keeper.Received)
            return StreamEnd.LimitReached;
        WalStream stream = await connection.StartReplicationAsync(options.Slot, keeper.Timeline, keeper.Resume, cancellationToken).ConfigureAwait(false);
        _stream = stream;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Exception? lost = null;
        Task telling = Task.Run(
            async () =>
            {
                try
                {
                    await TellAsync(stream, stop.Token).ConfigureAwait(false);
                }
                catch (Exception error) when (error is IOException or TimeoutException or ObjectDisposedException or InvalidOperationException)
                {
                    lost = error;
                    await stop.CancelAsync().ConfigureAwait(false);
                }
            }, CancellationToken.None);
        try
        {
            return await ReadAsync(stream, stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw PgErrors.ServerConnectionLost(connection.Server, lost ?? new TimeoutException("it was silent"));
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await telling.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>How often the server wants to hear something: it ends connections that are silent for wal_sender_timeout.</summary>
    public async Task ReadTimeoutAsync(CancellationToken cancellationToken)
    {
        string text = await connection.ShowAsync("wal_sender_timeout", cancellationToken).ConfigureAwait(false);
        if (Duration.TryParse(text, out TimeSpan timeout) && timeout > TimeSpan.Zero && timeout / 4 < s_statusPause)
            _statusPause = timeout / 4;
    }

    /// <summary>Behind <see cref="StreamEnd.EndOfTimeline"/>: the next timeline and where it begins.</summary>
    public Task<(TimelineId Timeline, Lsn Start)> FinishTimelineAsync(CancellationToken cancellationToken) => _stream!.FinishAsync(cancellationToken);

    /// <summary>A last word to the server, when there is still a connection: what is durable, and that nothing more is wanted.</summary>
    public async Task LeaveAsync()
    {
        if (_stream is null)
            return;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        try
        {
            await _stream.SendStatusAsync(Told, requestReply: false, limit.Token).ConfigureAwait(false);
            await _stream.LeaveAsync(limit.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException or InvalidOperationException or OperationCanceledException)
        {
            // It learns it from the next receiver.
        }
    }

    private async Task<StreamEnd> ReadAsync(WalStream stream, CancellationToken cancellationToken)
    {
        while (true)
        {
            Volatile.Write(ref _readingSince, Stopwatch.GetTimestamp());
            WalStreamItem item = await stream.ReadAsync(_buffer, cancellationToken).ConfigureAwait(false);
            Volatile.Write(ref _readingSince, 0);
            bool isFirst = !_isAnswered;
            _isAnswered |= item.Kind is WalStreamItemKind.Data or WalStreamItemKind.Keepalive;
            switch (item.Kind)
            {
                case WalStreamItemKind.Data:
                    await keeper.AppendAsync(item.Position, _buffer.AsMemory(0, item.Length), cancellationToken).ConfigureAwait(false);
                    HasReceived = true;
                    progress.Report(new OperationProgress($"Receiving WAL of {connection.Server}", $"timeline {keeper.Timeline}, {keeper.Received}", 0, null, ProgressUnit.Items));
                    if (options.Until?.Lsn <= keeper.Received)
                        return StreamEnd.LimitReached;
                    break;
                case WalStreamItemKind.Keepalive:
                    // A server that goes down waits for what it has sent to be durable, and asks like this.
                    if (item.ReplyRequested || isFirst) // A commit may wait for what was durable before this connection.
                    {
                        if (keeper.Durable < keeper.Received)
                            keeper.Demand();
                        await stream.SendStatusAsync(keeper.Durable, requestReply: false, cancellationToken).ConfigureAwait(false);
                    }
                    break;
                case WalStreamItemKind.EndOfTimeline:
                    while (keeper.Durable < keeper.Received)
                    {
                        keeper.Demand();
                        await Task.Delay(20, cancellationToken).ConfigureAwait(false);
                    }
                    return StreamEnd.EndOfTimeline;
                default:
                    return StreamEnd.ServerStops;
            }
        }
    }

    private async Task TellAsync(WalStream stream, CancellationToken cancellationToken)
    {
        while (true)
        {
            long since = Volatile.Read(ref _readingSince);
            TimeSpan silent = since == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(since);
            if (silent > s_silence + _statusPause)
                throw new TimeoutException($"it did not answer for {silent.TotalSeconds:F0} s");
            await stream.SendStatusAsync(Told, requestReply: !_isAnswered || silent >= _statusPause, cancellationToken).ConfigureAwait(false);
            await keeper.Moved.WaitAsync(_statusPause, cancellationToken).ConfigureAwait(false);
        }
    }
}

/// <summary>Why a stream ended.</summary>
internal enum StreamEnd
{
    /// <summary>What was asked for is there.</summary>
    LimitReached,

    /// <summary>The timeline ended.</summary>
    EndOfTimeline,

    /// <summary>The server goes down.</summary>
    ServerStops,
}
