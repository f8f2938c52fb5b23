using System.Net.Http.Headers;

namespace PgBackup.Storage.S3;

/// <summary>Reads from every answer what the SDK does not hand on: the store's clock, the bucket's region and when to come again.</summary>
internal sealed class ResponseObserver : DelegatingHandler
{
    private long _skewTicks = long.MinValue;
    private volatile string? _bucketRegion;
    private long _retryAfterTicks;

    public ResponseObserver(HttpMessageHandler inner)
        : base(inner)
    {
    }

    /// <summary>The store's clock minus ours, to the second; null before the first answer.</summary>
    public TimeSpan? ClockSkew => Interlocked.Read(ref _skewTicks) is var ticks && ticks == long.MinValue ? null : TimeSpan.FromTicks(ticks);

    /// <summary>The region in which the store says that the bucket is.</summary>
    public string? BucketRegion => _bucketRegion;

    /// <summary>What the last refusal for too many requests asked for; null when it did not say.</summary>
    public TimeSpan? RetryAfter => Interlocked.Read(ref _retryAfterTicks) is var ticks && ticks == 0 ? null : TimeSpan.FromTicks(ticks);

    /// <summary>
    /// True once the store has said that it is one whose listings hold what was put a moment before: Ceph keeps the bucket's index with each put. Others that call themselves AmazonS3 may take
    /// their time, and are asked for every object.
    /// </summary>
    public bool ListsAtOnce { get; private set; }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        // The SDK asks before it sends a body, which costs a round trip for each; a refusal in the middle is as clear.
        request.Headers.ExpectContinue = false;
        HttpResponseMessage response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        if (response.Headers.Date is { } date)
        {
            // The header counts whole seconds, cut off: on average half a second has passed since.
            TimeSpan skew = date.AddMilliseconds(500) - DateTimeOffset.UtcNow;
            Interlocked.Exchange(ref _skewTicks, Math.Abs(skew.Ticks) < TimeSpan.TicksPerSecond ? 0 : skew.Ticks);
        }
        if (!ListsAtOnce && response.Headers.TryGetValues("Server", out IEnumerable<string>? servers))
            ListsAtOnce = servers.Any(static name => name.StartsWith("Ceph Object Gateway", StringComparison.Ordinal));
        if (response.Headers.TryGetValues("x-amz-bucket-region", out IEnumerable<string>? regions))
            _bucketRegion = regions.First();
        if ((int)response.StatusCode is 429 or 503)
            Interlocked.Exchange(ref _retryAfterTicks, Wait(response.Headers.RetryAfter).Ticks);
        return response;
    }

    private static TimeSpan Wait(RetryConditionHeaderValue? header)
    {
        if (header?.Delta is { } delta)
            return delta;
        TimeSpan rest = header?.Date - DateTimeOffset.UtcNow ?? TimeSpan.Zero;
        return rest > TimeSpan.Zero ? rest : TimeSpan.Zero;
    }
}
