using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Errors;

namespace PgBackup.Storage.S3;

/// <summary>Copies within a store: by one request up to 5 GiB, else in parts; through this machine at stores that cannot.</summary>
internal static class S3Copy
{
    private const long LargestSingle = 5L << 30; // "CopyObject", Amazon S3 API Reference.
    private const long SmallestPart = 512L << 20;

    /// <summary>Copies, and confirms what has become of it. Throws <c>ObjectNotFound</c>.</summary>
    public static async Task RunAsync(S3Store source, string sourceKey, S3Store target, string targetKey, CancellationToken cancellationToken)
    {
        S3Context from = source.Context, to = target.Context;
        string targetName = to.NameOf(targetKey);
        GetObjectMetadataResponse facts = await S3Confirmation.HeadAsync(from, sourceKey, withChecksum: true, cancellationToken).ConfigureAwait(false)
            ?? throw PgErrors.ObjectNotFound(source.Location, sourceKey);
        try
        {
            if (to.Requests.Traits.Lacks.HasFlag(S3Lack.Copy))
            {
                await ThroughHereAsync(source, sourceKey, target, targetKey, cancellationToken).ConfigureAwait(false);
                return;
            }
            if (facts.ContentLength <= LargestSingle)
                await CopyWholeAsync(from, sourceKey, to, targetKey, targetName, facts, cancellationToken).ConfigureAwait(false);
            else
                await CopyPartsAsync(from, sourceKey, to, targetKey, facts, cancellationToken).ConfigureAwait(false);
        }
        catch (AmazonServiceException error) when (error.StatusCode is HttpStatusCode.NotImplemented or HttpStatusCode.MethodNotAllowed)
        {
            await ThroughHereAsync(source, sourceKey, target, targetKey, cancellationToken).ConfigureAwait(false);
            to.Requests.Traits.Remember(S3Lack.Copy);
            return;
        }
        catch (AmazonServiceException error) when (error.StatusCode == HttpStatusCode.PreconditionFailed)
        {
            GetObjectMetadataResponse? now = await S3Confirmation.HeadAsync(from, sourceKey, withChecksum: false, cancellationToken).ConfigureAwait(false);
            if (now?.ETag != facts.ETag)
                throw PgErrors.ObjectChanged(source.Location, sourceKey, error);
            // It is what it was. Swift compares objects of several parts with another ETag than the one that it tells.
            await ThroughHereAsync(source, sourceKey, target, targetKey, cancellationToken).ConfigureAwait(false);
            return;
        }
        catch (Exception error) when (S3ErrorMapping.IsOfStore(error, cancellationToken))
        {
            throw to.Requests.Explain(error, S3Operation.Put(targetKey));
        }
        await ConfirmAsync(to, targetKey, facts, cancellationToken).ConfigureAwait(false);
    }

    private static Task CopyWholeAsync(
        S3Context from, string sourceKey, S3Context to, string targetKey, string targetName, GetObjectMetadataResponse facts, CancellationToken cancellationToken)
    {
        return to.Requests.SendAsync(
            S3Operation.LongPut(targetKey),
            (client, guard) =>
            {
                var request = new CopyObjectRequest
                {
                    SourceBucket = from.Bucket,
                    SourceKey = from.NameOf(sourceKey),
                    DestinationBucket = to.Bucket,
                    DestinationKey = targetName,
                    ETagToMatch = facts.ETag,
                    MetadataDirective = S3MetadataDirective.COPY,
                };
                to.Settings.Apply(request, from.Settings);
                return client.CopyObjectAsync(request, guard.Token);
            },
            cancellationToken);
    }

    private static async Task CopyPartsAsync(
        S3Context from, string sourceKey, S3Context to, string targetKey, GetObjectMetadataResponse facts, CancellationToken cancellationToken)
    {
        long size = facts.ContentLength, partSize = Math.Max(SmallestPart, (size + PartSizes.MaxParts - 1) / PartSizes.MaxParts);
        string targetName = to.NameOf(targetKey);
        var begin = new InitiateMultipartUploadRequest { BucketName = to.Bucket, Key = targetName };
        to.Settings.Apply(begin);
        string id = (await to.Requests.SendAsync(
            S3Operation.Put(targetKey), (client, guard) => client.InitiateMultipartUploadAsync(begin, guard.Token), cancellationToken).ConfigureAwait(false)).UploadId;
        try
        {
            int count = (int)((size + partSize - 1) / partSize);
            var parts = new PartETag[count];
            await Parallel.ForAsync(
                0,
                count,
                new ParallelOptions { MaxDegreeOfParallelism = to.Settings.ConcurrentRequests, CancellationToken = cancellationToken },
                async (index, token) =>
                {
                    CopyPartResponse response = await to.Requests.SendAsync(
                        S3Operation.LongPut(targetKey),
                        (client, guard) =>
                        {
                            var request = new CopyPartRequest
                            {
                                SourceBucket = from.Bucket,
                                SourceKey = from.NameOf(sourceKey),
                                DestinationBucket = to.Bucket,
                                DestinationKey = targetName,
                                UploadId = id,
                                PartNumber = index + 1,
                                FirstByte = index * partSize,
                                LastByte = Math.Min(size, (index + 1) * partSize) - 1,
                                ETagToMatch = [facts.ETag],
                            };
                            to.Settings.Apply(request, from.Settings);
                            return client.CopyPartAsync(request, guard.Token);
                        },
                        token).ConfigureAwait(false);
                    parts[index] = new PartETag(index + 1, response.ETag);
                }).ConfigureAwait(false);
            var end = new CompleteMultipartUploadRequest { BucketName = to.Bucket, Key = targetName, UploadId = id, PartETags = [.. parts] };
            to.Settings.Apply(end);
            int sent = 0;
            try
            {
                await to.Requests.SendAsync(
                    S3Operation.LongPut(targetKey),
                    (client, guard) =>
                    {
                        sent++;
                        return client.CompleteMultipartUploadAsync(end, guard.Token);
                    },
                    cancellationToken).ConfigureAwait(false);
            }
            catch (AmazonS3Exception error) when (sent > 1 && error.StatusCode == HttpStatusCode.NotFound)
            {
                // The first answer was lost: the upload is gone because it was completed. What lies there is looked at next.
            }
        }
        catch
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
            await ((Task)S3Unfinished.AbortAsync(to, targetKey, id, patience.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
    }

    private static async Task ThroughHereAsync(S3Store source, string sourceKey, S3Store target, string targetKey, CancellationToken cancellationToken)
    {
        Stream content = await source.OpenReadAsync(sourceKey, cancellationToken: cancellationToken).ConfigureAwait(false);
        await using (content.ConfigureAwait(false))
        {
            await target.PutAsync(targetKey, content, PutCondition.None, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The store copied by itself; what can be compared is the size, and digests where both are of the same kind.</summary>
    private static async Task ConfirmAsync(S3Context to, string targetKey, GetObjectMetadataResponse source, CancellationToken cancellationToken)
    {
        GetObjectMetadataResponse copy = await S3Confirmation.HeadAsync(to, targetKey, withChecksum: true, cancellationToken).ConfigureAwait(false)
            ?? throw PgErrors.StorageConfirmationFailed(to.Location, targetKey, "nothing lies there.");
        string sourceTag = S3Confirmation.Plain(source.ETag), copyTag = S3Confirmation.Plain(copy.ETag);
        bool comparable = sourceTag.Length == 32 && copyTag.Length == 32 && S3Confirmation.HasMd5ETag(source, to.Bucket) && S3Confirmation.HasMd5ETag(copy, to.Bucket)
            && S3Confirmation.IsOfMd5(sourceTag) && S3Confirmation.IsOfMd5(copyTag);
        var expected = new ExpectedObject(
            source.ContentLength, comparable ? sourceTag : copyTag, string.IsNullOrEmpty(source.ChecksumCRC32) ? null : source.ChecksumCRC32, "", default);
        if (S3Confirmation.Difference(copy, expected, to.Bucket) is { } difference)
            throw PgErrors.StorageConfirmationFailed(to.Location, targetKey, difference);
    }
}
