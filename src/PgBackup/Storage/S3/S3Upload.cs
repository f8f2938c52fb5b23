using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Errors;

namespace PgBackup.Storage.S3;

/// <summary>A part that the store has.</summary>
internal sealed record UploadedPart(int Number, long Size, byte[] Md5, byte[] Crc32, string ETag);

/// <summary>
/// The requests that make an object: one put, or a multipart upload. What a store refuses for its form is left out and the request
/// repeated; what helped is remembered.
/// </summary>
internal sealed class S3Upload(S3Context context, string key, PutCondition condition)
{
    private const string ContentType = "application/octet-stream";

    private const long LookIsGoodFor = 2_000; // Milliseconds.

    private readonly string _token = Guid.NewGuid().ToString("N");
    private readonly DateTimeOffset _started = DateTimeOffset.UtcNow + (context.Requests.Observer.ClockSkew ?? TimeSpan.Zero);
    private string? _uploadId;
    private long _looked;
    private bool _hasPartChecksums;

    private S3Requests Requests => context.Requests;

    /// <summary>Whether a multipart upload was begun and neither ended nor aborted.</summary>
    public bool IsOpen => _uploadId is not null;

    /// <summary>Throws <c>ObjectExists</c> when the condition forbids what is there.</summary>
    public async Task CheckConditionAsync(CancellationToken cancellationToken)
    {
        if (condition != PutCondition.IfAbsent)
            return;
        _looked = Environment.TickCount64;
        if (await S3Confirmation.HeadAsync(context, key, withChecksum: false, cancellationToken).ConfigureAwait(false) is { } found
            && found.Metadata[S3Confirmation.TokenName] != _token)
            throw PgErrors.ObjectExists(context.Location, key);
    }

    /// <summary>After the confirmation: whether the store told a digest that is that of what was sent.</summary>
    public bool IsProven { get; private set; }

    /// <summary>Puts the whole object with one request, and confirms it.</summary>
    public async Task PutAsync(SegmentBuffer content, CancellationToken cancellationToken)
    {
        (byte[] md5, byte[] crc) = content.Digest();
        var expected = new ExpectedObject(content.Length, Convert.ToHexStringLower(md5), Convert.ToBase64String(crc), _token, _started);
        await CheckConditionAgainAsync(cancellationToken).ConfigureAwait(false);
        S3Lack held = S3Lack.Checksum | S3Lack.UnsignedPayload | (condition == PutCondition.IfAbsent ? S3Lack.Condition : S3Lack.None);
        int sent = 0;
        try
        {
            await SendReducedAsync(
                S3Operation.Put(key),
                held,
                (client, guard, lacks) =>
                {
                    sent++;
                    var body = new BodyStream(content, lacks.HasFlag(S3Lack.UnsignedPayload), guard);
                    var request = new PutObjectRequest
                    {
                        BucketName = context.Bucket,
                        Key = context.NameOf(key),
                        InputStream = body,
                        AutoCloseStream = false,
                        AutoResetStreamPosition = false,
                        UseChunkEncoding = false,
                        ContentType = ContentType,
                        MD5Digest = Convert.ToBase64String(md5),
                        ChecksumCRC32 = lacks.HasFlag(S3Lack.Checksum) ? null : Convert.ToBase64String(crc),
                        IfNoneMatch = condition == PutCondition.IfAbsent && !lacks.HasFlag(S3Lack.Condition) ? "*" : null,
                    };
                    request.Headers.ContentLength = content.Length;
                    request.Metadata[S3Confirmation.TokenName] = _token;
                    request.Metadata[S3Confirmation.ContentCrcName] = Convert.ToHexStringLower(crc);
                    context.Settings.Apply(request);
                    PgBackupS3Client.Attach(request, body);
                    return client.PutObjectAsync(request, guard.Token);
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch (AmazonS3Exception error) when (IsConditionFailed(error))
        {
            Requests.Traits.HasKeptCondition = true;
            // After a lost answer the object that stands in the way may be our own.
            if (sent < 2 || !await IsOursAsync(cancellationToken).ConfigureAwait(false))
                throw PgErrors.ObjectExists(context.Location, key);
        }
        catch (Exception error) when (S3ErrorMapping.IsOfStore(error, cancellationToken))
        {
            throw Requests.Explain(error, S3Operation.Put(key));
        }
        IsProven = await S3Confirmation.ConfirmAsync(context, key, expected, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Begins a multipart upload.</summary>
    public async Task BeginAsync(CancellationToken cancellationToken)
    {
        await CheckConditionAgainAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            InitiateMultipartUploadResponse response = await SendReducedAsync(
                S3Operation.Put(key),
                S3Lack.Checksum,
                (client, guard, lacks) =>
                {
                    _hasPartChecksums = !lacks.HasFlag(S3Lack.Checksum);
                    var request = new InitiateMultipartUploadRequest { BucketName = context.Bucket, Key = context.NameOf(key), ContentType = ContentType };
                    if (_hasPartChecksums)
                        request.ChecksumAlgorithm = ChecksumAlgorithm.CRC32;
                    request.Metadata[S3Confirmation.TokenName] = _token;
                    context.Settings.Apply(request);
                    return client.InitiateMultipartUploadAsync(request, guard.Token);
                },
                cancellationToken).ConfigureAwait(false);
            _uploadId = response.UploadId;
        }
        catch (Exception error) when (S3ErrorMapping.IsOfStore(error, cancellationToken))
        {
            throw Requests.Explain(error, S3Operation.Put(key));
        }
    }

    /// <summary>Uploads a part.</summary>
    public async Task<UploadedPart> PutPartAsync(int number, SegmentBuffer content, CancellationToken cancellationToken)
    {
        (byte[] md5, byte[] crc) = content.Digest();
        try
        {
            UploadPartResponse response = await SendReducedAsync(
                S3Operation.Put(key),
                (_hasPartChecksums ? S3Lack.Checksum : S3Lack.None) | S3Lack.UnsignedPayload,
                (client, guard, lacks) =>
                {
                    var body = new BodyStream(content, lacks.HasFlag(S3Lack.UnsignedPayload), guard);
                    var request = new UploadPartRequest
                    {
                        BucketName = context.Bucket,
                        Key = context.NameOf(key),
                        UploadId = _uploadId,
                        PartNumber = number,
                        PartSize = content.Length,
                        InputStream = body,
                        UseChunkEncoding = false,
                        MD5Digest = Convert.ToBase64String(md5),
                        ChecksumCRC32 = _hasPartChecksums && !lacks.HasFlag(S3Lack.Checksum) ? Convert.ToBase64String(crc) : null,
                    };
                    context.Settings.Apply(request);
                    PgBackupS3Client.Attach(request, body);
                    return client.UploadPartAsync(request, guard.Token);
                },
                cancellationToken).ConfigureAwait(false);
            return new UploadedPart(number, content.Length, md5, crc, response.ETag);
        }
        catch (Exception error) when (S3ErrorMapping.IsOfStore(error, cancellationToken))
        {
            throw Requests.Explain(error, S3Operation.Put(key));
        }
    }

    /// <summary>Puts the parts together, and confirms the object.</summary>
    public async Task CompleteAsync(IReadOnlyList<UploadedPart> parts, CancellationToken cancellationToken)
    {
        long size = 0;
        foreach (UploadedPart part in parts)
            size += part.Size;
        var expected = new ExpectedObject(
            size, S3Confirmation.ETagOf(parts), _hasPartChecksums ? S3Confirmation.ChecksumOf(parts) : null, _token, _started);
        await CheckConditionAsync(cancellationToken).ConfigureAwait(false);
        int sent = 0;
        try
        {
            await SendReducedAsync(
                S3Operation.LongPut(key),
                S3Lack.Checksum | (condition == PutCondition.IfAbsent ? S3Lack.CompletionCondition : S3Lack.None),
                (client, guard, lacks) =>
                {
                    sent++;
                    var request = new CompleteMultipartUploadRequest { BucketName = context.Bucket, Key = context.NameOf(key), UploadId = _uploadId, PartETags = [] };
                    foreach (UploadedPart part in parts)
                    {
                        var told = new PartETag(part.Number, part.ETag);
                        if (_hasPartChecksums && !lacks.HasFlag(S3Lack.Checksum))
                            told.ChecksumCRC32 = Convert.ToBase64String(part.Crc32);
                        request.PartETags.Add(told);
                    }
                    if (condition == PutCondition.IfAbsent && !lacks.HasFlag(S3Lack.CompletionCondition))
                        request.IfNoneMatch = "*";
                    context.Settings.Apply(request);
                    return client.CompleteMultipartUploadAsync(request, guard.Token);
                },
                cancellationToken).ConfigureAwait(false);
        }
        catch (AmazonS3Exception error) when (IsConditionFailed(error) || (sent > 1 && error.StatusCode == HttpStatusCode.NotFound))
        {
            // After a lost answer the upload is gone because it was completed, or our own object stands in the way.
            if (sent < 2 || !await IsOursAsync(cancellationToken).ConfigureAwait(false))
                throw IsConditionFailed(error) ? PgErrors.ObjectExists(context.Location, key) : Requests.Explain(error, S3Operation.Put(key));
        }
        catch (Exception error) when (S3ErrorMapping.IsOfStore(error, cancellationToken))
        {
            throw Requests.Explain(error, S3Operation.Put(key));
        }
        _uploadId = null;
        IsProven = await S3Confirmation.ConfirmAsync(context, key, expected, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Aborts the multipart upload, so that its parts take no room.</summary>
    public async Task AbortAsync(CancellationToken cancellationToken)
    {
        if (_uploadId is not { } id)
            return;
        _uploadId = null;
        await S3Unfinished.AbortAsync(context, key, id, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The look before a request that bears the condition itself: not again when the last was a moment ago and the store is known to keep the condition; some ignore it without a word.</summary>
    private Task CheckConditionAgainAsync(CancellationToken cancellationToken) =>
        Environment.TickCount64 - _looked < LookIsGoodFor && (context.Settings.EndpointUrl is null || Requests.Traits.HasKeptCondition)
            ? Task.CompletedTask
            : CheckConditionAsync(cancellationToken);

    private async Task<bool> IsOursAsync(CancellationToken cancellationToken) =>
        await S3Confirmation.HeadAsync(context, key, withChecksum: false, cancellationToken).ConfigureAwait(false) is { } found
        && found.Metadata[S3Confirmation.TokenName] == _token;

    private async Task<T> SendReducedAsync<T>(
        S3Operation operation, S3Lack held, Func<IAmazonS3, StallGuard, S3Lack, Task<T>> send, CancellationToken cancellationToken)
    {
        S3Lack known = Requests.Traits.Lacks;
        try
        {
            return await Requests.SendAsync(operation, (client, guard) => send(client, guard, known), cancellationToken).ConfigureAwait(false);
        }
        catch (AmazonServiceException refusal) when (S3Traits.WaysOut(refusal, held & ~known) is { Count: > 0 } ways)
        {
            foreach (S3Lack way in ways)
            {
                try
                {
                    T result = await Requests.SendAsync(operation, (client, guard) => send(client, guard, known | way), cancellationToken).ConfigureAwait(false);
                    Requests.Traits.Remember(way);
                    return result;
                }
                catch (AmazonServiceException again) when (S3Traits.WaysOut(again, held & ~known).Count > 0)
                {
                    // Not this one.
                }
            }
            throw;
        }
    }

    private static bool IsConditionFailed(AmazonS3Exception error) => error.StatusCode == HttpStatusCode.PreconditionFailed;
}
