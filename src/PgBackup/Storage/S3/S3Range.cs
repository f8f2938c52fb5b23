using System.Globalization;
using System.Net;
using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Errors;

namespace PgBackup.Storage.S3;

/// <summary>What the first answer tells of an object.</summary>
/// <param name="Size">Its bytes.</param>
/// <param name="ETag">Its ETag, as the store writes it.</param>
/// <param name="ContentCrc">The CRC-32 of its content, where its writer left it; null for objects of several parts, and of other tools.</param>
/// <param name="HasMd5">Whether the ETag is the MD5 of the content.</param>
internal sealed record ObjectFacts(long Size, string ETag, string? ContentCrc, bool HasMd5);

/// <summary>A range of an object on its way into memory. A transfer that breaks is taken up where it broke.</summary>
internal sealed class S3Range : IDisposable
{
    private readonly S3Context _context;
    private readonly string _key;
    private readonly string? _etag;
    private readonly TaskCompletionSource<ObjectFacts?> _facts = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _lifetime;
    private long _count;

    /// <summary>Begins to fetch.</summary>
    /// <param name="context">The store.</param>
    /// <param name="key">The object.</param>
    /// <param name="start">Where the range begins.</param>
    /// <param name="count">The most bytes it has.</param>
    /// <param name="etag">What the object must still be; null for the first range.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public S3Range(S3Context context, string key, long start, long count, string? etag, CancellationToken cancellationToken)
    {
        _context = context;
        _key = key;
        _etag = etag;
        _count = count;
        Start = start;
        Content = new SegmentBuffer(context.Downloads);
        _lifetime = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Completed = Task.Run(FetchAsync, CancellationToken.None);
    }

    /// <summary>Where the range begins.</summary>
    public long Start { get; }

    /// <summary>The bytes; all of them once <see cref="Completed"/> has ended.</summary>
    public SegmentBuffer Content { get; }

    /// <summary>Ends when all bytes are there, or with the failure.</summary>
    public Task Completed { get; }

    /// <summary>What the answer's head tells; null when the range lies behind the object's end. Fails as <see cref="Completed"/> does.</summary>
    public Task<ObjectFacts?> Facts => _facts.Task;

    /// <summary>Whether the object has been seen: what is refused then has changed.</summary>
    private bool IsKnown => _etag is not null || _facts.Task.IsCompletedSuccessfully;

    /// <summary>Gives up what is under way, and the memory once that has ended.</summary>
    public async Task GiveUpAsync()
    {
        await _lifetime.CancelAsync().ConfigureAwait(false);
        await Completed.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Dispose();
    }

    public void Dispose()
    {
        Content.Dispose();
        _lifetime.Dispose();
    }

    private async Task FetchAsync()
    {
        S3Operation operation = S3Operation.Get(_key);
        string name = _context.NameOf(_key);
        try
        {
            while (true)
            {
                long before = Content.Length;
                try
                {
                    await _context.Requests.SendAsync(operation, (client, guard) => AttemptAsync(client, name, guard), _lifetime.Token).ConfigureAwait(false);
                    return;
                }
                catch (Exception error) when (Content.Length > before && S3RetryRules.Judge(error) == S3RetryVerdict.Again)
                {
                    // It came forward: with as many attempts again. The range is small, so that this ends.
                }
            }
        }
        catch (AmazonS3Exception error) when (!IsKnown && error.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            _facts.TrySetResult(null);
        }
        catch (AmazonS3Exception error) when (IsKnown
            && error.StatusCode is HttpStatusCode.PreconditionFailed or HttpStatusCode.NotFound or HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            throw Told(PgErrors.ObjectChanged(_context.Location, _key, error));
        }
        catch (Exception error) when (S3ErrorMapping.IsOfStore(error, _lifetime.Token))
        {
            throw Told(_context.Requests.Explain(error, operation));
        }
        catch (Exception error)
        {
            Told(error);
            throw;
        }
    }

    private async Task<bool> AttemptAsync(IAmazonS3 client, string name, StallGuard guard)
    {
        long from = Start + Content.Length;
        var request = new GetObjectRequest
        {
            BucketName = _context.Bucket,
            Key = name,
            ByteRange = new ByteRange(from, Start + _count - 1),
            // After the first answer also within one range: what is taken up must be the rest of the same object.
            EtagToMatch = _etag ?? (_facts.Task.IsCompletedSuccessfully ? _facts.Task.Result?.ETag : null),
        };
        _context.Settings.Apply(request);
        using GetObjectResponse response = await client.GetObjectAsync(request, guard.Token).ConfigureAwait(false);
        long size = SizeOf(response, from);
        if (_etag is null && !_facts.Task.IsCompleted)
        {
            _count = Math.Min(_count, size - Start);
            _facts.TrySetResult(new ObjectFacts(size, response.ETag, response.Metadata[S3Confirmation.ContentCrcName], HasMd5(response)));
        }
        Stream body = response.ResponseStream;
        while (Content.Length < _count)
        {
            Memory<byte> free = Content.FreeMemory();
            int read = await body.ReadAsync(free[..(int)Math.Min(free.Length, _count - Content.Length)], guard.Token).ConfigureAwait(false);
            if (read == 0)
                throw new IOException("The store's answer ended before the object did.");
            Content.Advance(read);
            guard.Moved();
        }
        return true;
    }

    private static long SizeOf(GetObjectResponse response, long from)
    {
        string? range = response.ContentRange;
        int slash = range?.LastIndexOf('/') ?? -1;
        if (slash > 0 && long.TryParse(range.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long size)
            && range!.StartsWith(string.Create(CultureInfo.InvariantCulture, $"bytes {from}-"), StringComparison.OrdinalIgnoreCase))
            return size;
        if (response.HttpStatusCode == HttpStatusCode.OK && from == 0)
            return response.ContentLength; // A store without ranges gives the whole.
        throw new InvalidOperationException("The store gave another range of the object than the one that was asked for.");
    }

    private bool HasMd5(GetObjectResponse response) =>
        S3Confirmation.Plain(response.ETag) is { Length: 32 } etag && S3Confirmation.IsOfMd5(etag)
        && (response.ServerSideEncryptionMethod is null || response.ServerSideEncryptionMethod == ServerSideEncryptionMethod.None
            || response.ServerSideEncryptionMethod == ServerSideEncryptionMethod.AES256)
        && string.IsNullOrEmpty(response.ServerSideEncryptionCustomerProvidedKeyMD5)
        && !_context.Bucket.EndsWith("--x-s3", StringComparison.Ordinal);

    private Exception Told(Exception error)
    {
        _facts.TrySetException(error);
        _ = _facts.Task.Exception; // Seen: whoever waits for the end gets the same.
        return error;
    }
}
