using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Errors;

namespace PgBackup.Storage.S3;

/// <summary>
/// Sends requests: through the gate, each attempt with a bound of idle time, again after passing faults until the retries or the time run
/// out. Being throttled counts against the time only.
/// </summary>
internal sealed class S3Requests : IDisposable
{
    private const int UnusableFor = 900; // Milliseconds.

    private readonly S3Settings _settings;
    private readonly S3Transport _transport;
    private readonly RequestGate _gate;
    private readonly SemaphoreSlim _opening = new(1, 1);
    private volatile PgBackupS3Client? _client;
    private PgBackupException? _unusable;
    private long _unusableSince;

    public S3Requests(S3Settings settings)
    {
        _settings = settings;
        _transport = new S3Transport(settings);
        _gate = new RequestGate(settings.ConcurrentRequests);
        Traits = S3Traits.Of(settings);
        Region = S3ClientFactory.RegionOf(settings);
    }

    /// <summary>The region that is signed for.</summary>
    public string Region { get; }

    /// <summary>What is known of the store.</summary>
    public S3Traits Traits { get; }

    /// <summary>What the answers told in passing.</summary>
    public ResponseObserver Observer => _transport.Observer;

    /// <summary>Sends a request, and makes the failure that users see of what the store answers.</summary>
    public async Task<T> RunAsync<T>(S3Operation operation, Func<IAmazonS3, StallGuard, Task<T>> send, CancellationToken cancellationToken)
    {
        try
        {
            return await SendAsync(operation, send, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (S3ErrorMapping.IsOfStore(error, cancellationToken))
        {
            throw Explain(error, operation);
        }
    }

    /// <summary>Sends a request; a final refusal is thrown as the SDK tells it.</summary>
    public async Task<T> SendAsync<T>(S3Operation operation, Func<IAmazonS3, StallGuard, Task<T>> send, CancellationToken cancellationToken)
    {
        long deadline = Environment.TickCount64 + (long)_settings.RequestDeadline.TotalMilliseconds;
        bool clockCorrected = false, refreshed = false;
        for (int failures = 0, throttled = 0; ;)
        {
            PgBackupS3Client client = _client ?? await OpenAsync(cancellationToken).ConfigureAwait(false);
            TimeSpan delay;
            using (await _gate.EnterAsync(cancellationToken).ConfigureAwait(false))
            {
                using var guard = new StallGuard(operation.Idle ?? _settings.IdleTimeout, cancellationToken);
                try
                {
                    T result = await send(client, guard).ConfigureAwait(false);
                    _gate.Succeeded();
                    Traits.IsBucketSeen = true;
                    return result;
                }
                catch (Exception error) when (error is not PgBackupException && !cancellationToken.IsCancellationRequested)
                {
                    Exception failure = guard.HasStalled && error is OperationCanceledException
                        ? new TimeoutException($"No byte came or went for {(operation.Idle ?? _settings.IdleTimeout).TotalSeconds:0} seconds.", error)
                        : error;
                    switch (S3RetryRules.Judge(failure))
                    {
                        case S3RetryVerdict.Again when failures < _settings.MaxRetries:
                            delay = S3RetryRules.Delay(failures++, Random.Shared);
                            break;
                        case S3RetryVerdict.Slower:
                            _gate.Throttled(Observer.RetryAfter);
                            delay = S3RetryRules.Delay(throttled++, Random.Shared);
                            break;
                        case S3RetryVerdict.ClockSkew when !clockCorrected:
                            clockCorrected = true;
                            delay = TimeSpan.Zero;
                            break;
                        case S3RetryVerdict.Refresh when !refreshed && _settings.Credential is null:
                            refreshed = true;
                            await ForgetAsync(client).ConfigureAwait(false);
                            delay = TimeSpan.Zero;
                            break;
                        default:
                            if (ReferenceEquals(failure, error))
                                throw;
                            throw failure;
                    }
                    if (Environment.TickCount64 + delay.TotalMilliseconds > deadline)
                    {
                        if (ReferenceEquals(failure, error))
                            throw;
                        throw failure;
                    }
                }
            }
            if (clockCorrected && delay == TimeSpan.Zero)
                await LearnClockAsync(client, cancellationToken).ConfigureAwait(false);
            await Task.Delay(delay, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The failure that users see.</summary>
    public PgBackupException Explain(Exception error, S3Operation operation) =>
        S3ErrorMapping.Map(error, operation, new S3ErrorContext(_settings, Region, Observer.BucketRegion, Observer.ClockSkew));

    public void Dispose()
    {
        _client?.Dispose();
        _transport.Dispose();
        _opening.Dispose();
    }

    private async Task<PgBackupS3Client> OpenAsync(CancellationToken cancellationToken)
    {
        await _opening.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // Not searched for at every request, but again: tokens are renewed, and metadata services come back.
            if (_unusable is not null && Environment.TickCount64 - _unusableSince < UnusableFor)
                throw _unusable;
            if (_client is { } other)
                return other;
            AWSCredentials credentials = await S3Credentials.ResolveAsync(_settings, cancellationToken).ConfigureAwait(false);
            return _client = S3ClientFactory.Create(_settings, Region, credentials, _transport);
        }
        catch (PgBackupException error)
        {
            _unusable = error;
            _unusableSince = Environment.TickCount64;
            throw;
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <summary>Lets the next attempt search for credentials again: files and tokens are renewed by others.</summary>
    private async Task ForgetAsync(PgBackupS3Client client)
    {
        await _opening.WaitAsync().ConfigureAwait(false);
        if (ReferenceEquals(_client, client))
            _client = null; // Not disposed: others may be in the middle of a request.
        _opening.Release();
    }

    /// <summary>A request with a body cannot be sent twice within the SDK, where the clock is corrected; one without can.</summary>
    private async Task LearnClockAsync(PgBackupS3Client client, CancellationToken cancellationToken)
    {
        try
        {
            using var guard = new StallGuard(_settings.IdleTimeout, cancellationToken);
            await client.ListObjectsV2Async(
                new ListObjectsV2Request { BucketName = _settings.Bucket, Prefix = _settings.Prefix, MaxKeys = 1 }, guard.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (S3ErrorMapping.IsOfStore(error, cancellationToken))
        {
            // Only its Date header was wanted; what is wrong will be said of the request itself.
        }
    }
}
