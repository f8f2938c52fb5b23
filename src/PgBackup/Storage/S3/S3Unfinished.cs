using System.Net;
using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.Storage.S3;

/// <summary>Multipart uploads that were begun and not ended: objects in flight, and what killed writers have left.</summary>
internal static class S3Unfinished
{
    /// <summary>Lists them.</summary>
    public static async IAsyncEnumerable<(string Key, string UploadId, DateTimeOffset Started)> ListAsync(
        S3Context context, string folder, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? keyMarker = null, idMarker = null;
        while (true)
        {
            var request = new ListMultipartUploadsRequest
            {
                BucketName = context.Bucket, Prefix = context.NameOfFolder(folder), KeyMarker = keyMarker, UploadIdMarker = idMarker,
            };
            ListMultipartUploadsResponse page = await context.Requests.RunAsync(
                S3Operation.ListUploads(folder), (client, guard) => client.ListMultipartUploadsAsync(request, guard.Token), cancellationToken).ConfigureAwait(false);
            foreach (MultipartUpload upload in page.MultipartUploads ?? [])
            {
                if (context.TryKeyOf(upload.Key, out string? key))
                    yield return (key, upload.UploadId, new DateTimeOffset((upload.Initiated ?? DateTime.UnixEpoch).ToUniversalTime()));
            }
            if (page.IsTruncated != true || string.IsNullOrEmpty(page.NextKeyMarker) || (page.NextKeyMarker == keyMarker && page.NextUploadIdMarker == idMarker))
                yield break;
            keyMarker = page.NextKeyMarker;
            idMarker = page.NextUploadIdMarker;
        }
    }

    /// <summary>Aborts one; that it is gone already is no error.</summary>
    public static async Task AbortAsync(S3Context context, string key, string uploadId, CancellationToken cancellationToken)
    {
        S3Operation operation = S3Operation.Abort(key);
        try
        {
            var request = new AbortMultipartUploadRequest { BucketName = context.Bucket, Key = context.NameOf(key), UploadId = uploadId };
            await context.Requests.SendAsync(operation, (client, guard) => client.AbortMultipartUploadAsync(request, guard.Token), cancellationToken).ConfigureAwait(false);
        }
        catch (AmazonS3Exception error) when (error.StatusCode == HttpStatusCode.NotFound && error.ErrorCode != "NoSuchBucket")
        {
            // Ended or aborted by somebody else.
        }
        catch (Exception error) when (S3ErrorMapping.IsOfStore(error, cancellationToken))
        {
            throw context.Requests.Explain(error, operation);
        }
    }
}
