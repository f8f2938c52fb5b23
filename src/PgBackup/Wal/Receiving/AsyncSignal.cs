namespace PgBackup.Wal.Receiving;

/// <summary>Wakes the one that waits; signals that nobody waits for count as one.</summary>
internal sealed class AsyncSignal : IDisposable
{
    private readonly SemaphoreSlim _semaphore = new(0, 1);
    private readonly Lock _lock = new();

    public void Set()
    {
        lock (_lock)
        {
            if (_semaphore.CurrentCount == 0)
                _semaphore.Release();
        }
    }

    /// <summary>Returns after a signal or the time, whichever is first.</summary>
    public Task WaitAsync(TimeSpan time, CancellationToken cancellationToken) => _semaphore.WaitAsync(time < TimeSpan.Zero ? TimeSpan.Zero : time, cancellationToken);

    public void Dispose() => _semaphore.Dispose();
}
