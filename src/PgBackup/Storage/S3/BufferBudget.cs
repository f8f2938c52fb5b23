namespace PgBackup.Storage.S3;

/// <summary>
/// The memory of a store's buffers. Whoever fills a part, or waits for a range, always gets its memory, so that nobody ever waits for
/// another who waits for it; bounded is what goes beyond: parts in flight, and ranges read ahead.
/// </summary>
internal sealed class BufferBudget(long limit)
{
    private readonly Lock _lock = new();
    private readonly Queue<(long Size, TaskCompletionSource Turn)> _waiting = new();
    private long _used;
    private long _inFlight;

    /// <summary>The bytes in use now.</summary>
    public long Used
    {
        get
        {
            lock (_lock)
                return _used;
        }
    }

    /// <summary>Counts memory that was taken.</summary>
    public void Add(long bytes)
    {
        lock (_lock)
            _used += bytes;
    }

    /// <summary>Counts memory that was given back.</summary>
    public void Remove(long bytes)
    {
        lock (_lock)
        {
            _used -= bytes;
            Admit();
        }
    }

    /// <summary>
    /// Waits until a part of so many bytes, filled already, may be put in flight: when as much is left for the next one to fill, or at once when
    /// next to nothing is in flight. To be followed by <see cref="EndFlight"/>.
    /// </summary>
    public Task BeginFlightAsync(long size, CancellationToken cancellationToken)
    {
        TaskCompletionSource turn;
        lock (_lock)
        {
            if (_waiting.Count == 0 && HasRoom(size))
            {
                _inFlight += size;
                return Task.CompletedTask;
            }
            turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue((size, turn));
        }
        return WaitAsync(turn, cancellationToken);
    }

    /// <summary>The part has left; its memory is given back by itself.</summary>
    public void EndFlight(long size)
    {
        lock (_lock)
        {
            _inFlight -= size;
            Admit();
        }
    }

    /// <summary>Whether so many bytes may be read ahead of need.</summary>
    public bool HasRoomAhead(long bytes)
    {
        lock (_lock)
            return _used + bytes <= limit;
    }

    private static async Task WaitAsync(TaskCompletionSource turn, CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration registration = cancellationToken.Register(() => turn.TrySetCanceled(cancellationToken));
        await turn.Task.ConfigureAwait(false);
    }

    private bool HasRoom(long size) => _used + size <= limit || _inFlight < size * 2;

    private void Admit()
    {
        while (_waiting.TryPeek(out (long Size, TaskCompletionSource Turn) next) && HasRoom(next.Size))
        {
            _waiting.Dequeue();
            if (next.Turn.TrySetResult()) // False for one that gave up meanwhile.
                _inFlight += next.Size;
        }
    }
}
