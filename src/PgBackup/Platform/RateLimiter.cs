using System.Diagnostics;

namespace PgBackup.Platform;

/// <summary>Holds readers back so that all together stay under a number of bytes a second.</summary>
internal sealed class RateLimiter
{
    private readonly long _bytesPerSecond;
    private readonly Lock _lock = new();
    private long _freeAt = Stopwatch.GetTimestamp();

    /// <param name="bytesPerSecond">The bound; null for none.</param>
    public RateLimiter(ByteSize? bytesPerSecond)
    {
        _bytesPerSecond = bytesPerSecond?.Bytes ?? 0;
    }

    /// <summary>Waits until <paramref name="bytes"/> more may be read.</summary>
    public async Task WaitAsync(long bytes, CancellationToken cancellationToken)
    {
        if (_bytesPerSecond <= 0 || bytes == 0)
            return;
        TimeSpan wait;
        lock (_lock)
        {
            long now = Stopwatch.GetTimestamp();
            _freeAt = Math.Max(_freeAt, now);
            wait = Stopwatch.GetElapsedTime(now, _freeAt);
            _freeAt += (long)((double)bytes / _bytesPerSecond * Stopwatch.Frequency);
        }
        if (wait > TimeSpan.Zero)
            await Task.Delay(wait, cancellationToken).ConfigureAwait(false);
    }
}
