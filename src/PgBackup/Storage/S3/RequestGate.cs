namespace PgBackup.Storage.S3;

/// <summary>
/// How many requests of one store are in flight. A store that says that it is too much (503 SlowDown, 429) halves the number and brings a
/// pause; every round of successes lets one more in, up to where it began.
/// </summary>
internal sealed class RequestGate
{
    private static readonly TimeSpan s_shortestPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(20);

    private readonly Lock _lock = new();
    private readonly Queue<TaskCompletionSource> _waiting = new();
    private readonly int _most;
    private readonly TimeProvider _time;
    private int _limit;
    private int _inFlight;
    private int _successes;
    private TimeSpan _pause = s_shortestPause;
    private DateTimeOffset _closedUntil;
    private DateTimeOffset _lastThrottle;

    public RequestGate(int most, TimeProvider? time = null)
    {
        _most = Math.Max(1, most);
        _limit = _most;
        _time = time ?? TimeProvider.System;
    }

    /// <summary>How many may be in flight now.</summary>
    public int Limit
    {
        get
        {
            lock (_lock)
                return _limit;
        }
    }

    /// <summary>Waits for a place; disposing gives it back.</summary>
    public async Task<Place> EnterAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource? turn = null;
        lock (_lock)
        {
            if (_inFlight < _limit && _waiting.Count == 0)
                _inFlight++;
            else
                _waiting.Enqueue(turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        if (turn is not null)
        {
            using CancellationTokenRegistration registration = cancellationToken.Register(() => turn.TrySetCanceled(cancellationToken));
            await turn.Task.ConfigureAwait(false); // Whoever sets it has counted us in.
        }
        var place = new Place(this);
        try
        {
            await WaitWhileClosedAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            place.Dispose();
            throw;
        }
        return place;
    }

    /// <summary>A request succeeded.</summary>
    public void Succeeded()
    {
        lock (_lock)
        {
            if (_limit == _most || ++_successes < _limit * 2)
                return;
            _successes = 0;
            _limit++;
            _pause = s_shortestPause;
            Admit();
        }
    }

    /// <summary>The store asked for less. Many answers to one burst count once.</summary>
    public void Throttled(TimeSpan? retryAfter)
    {
        lock (_lock)
        {
            DateTimeOffset now = _time.GetUtcNow();
            _successes = 0;
            if (now - _lastThrottle < _pause)
                return;
            _lastThrottle = now;
            _limit = Math.Max(1, _limit / 2);
            TimeSpan pause = retryAfter is { } asked && asked > _pause ? asked : _pause;
            _closedUntil = now + (pause < s_longestPause ? pause : s_longestPause);
            _pause = _pause * 2 < s_longestPause ? _pause * 2 : s_longestPause;
        }
    }

    private async Task WaitWhileClosedAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            TimeSpan rest;
            lock (_lock)
                rest = _closedUntil - _time.GetUtcNow();
            if (rest <= TimeSpan.Zero)
                return;
            await Task.Delay(rest, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    private void Leave()
    {
        lock (_lock)
        {
            _inFlight--;
            Admit();
        }
    }

    private void Admit()
    {
        while (_inFlight < _limit && _waiting.TryDequeue(out TaskCompletionSource? next))
        {
            if (next.TrySetResult()) // False for one that gave up meanwhile.
                _inFlight++;
        }
    }

    /// <summary>A place in the gate.</summary>
    public struct Place(RequestGate gate) : IDisposable
    {
        private RequestGate? _gate = gate;

        /// <summary>Gives the place back.</summary>
        public void Dispose()
        {
            _gate?.Leave();
            _gate = null;
        }
    }
}
