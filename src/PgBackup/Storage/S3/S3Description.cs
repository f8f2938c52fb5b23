using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.Storage.S3;

/// <summary>What a store says of itself; what it does not say, or what we may not ask, stays unknown.</summary>
internal static class S3Description
{
    /// <summary>Asks.</summary>
    public static async Task<StoreDescription> AskAsync(S3Context context, CancellationToken cancellationToken)
    {
        // The one that must succeed: it tells a wrong key, a wrong region, a missing bucket.
        var request = new ListObjectsV2Request { BucketName = context.Bucket, Prefix = context.NameOfFolder(""), MaxKeys = 1 };
        await context.Requests.RunAsync(S3Operation.List(""), (client, guard) => client.ListObjectsV2Async(request, guard.Token), cancellationToken).ConfigureAwait(false);
        TimeSpan? skew = context.Requests.Observer.ClockSkew;

        GetBucketVersioningResponse? versioning = await TryAsync(
            context,
            "s3:GetBucketVersioning",
            (client, guard) => client.GetBucketVersioningAsync(new GetBucketVersioningRequest { BucketName = context.Bucket }, guard.Token),
            cancellationToken).ConfigureAwait(false);
        (bool? hasLock, TimeSpan? retention) = await AskForLockAsync(context, cancellationToken).ConfigureAwait(false);
        return new StoreDescription
        {
            Kind = "S3",
            Endpoint = context.Settings.EndpointUrl ?? new Uri($"https://s3.{context.Requests.Region}.amazonaws.com/"),
            Region = context.Requests.Region,
            ClockSkew = skew,
            Versioning = versioning is null ? StoreVersioning.Unknown
                : versioning.VersioningConfig?.Status == VersionStatus.Enabled ? StoreVersioning.Enabled
                : versioning.VersioningConfig?.Status == VersionStatus.Suspended ? StoreVersioning.Suspended
                : StoreVersioning.Off,
            HasObjectLock = hasLock,
            DefaultRetention = retention,
            Fallbacks = context.Requests.Traits.Describe(),
        };
    }

    private static async Task<(bool? HasLock, TimeSpan? Retention)> AskForLockAsync(S3Context context, CancellationToken cancellationToken)
    {
        try
        {
            GetObjectLockConfigurationResponse response = await context.Requests.SendAsync(
                new S3Operation("s3:GetBucketObjectLockConfiguration", "", false),
                (client, guard) => client.GetObjectLockConfigurationAsync(new GetObjectLockConfigurationRequest { BucketName = context.Bucket }, guard.Token),
                cancellationToken).ConfigureAwait(false);
            DefaultRetention? byDefault = response.ObjectLockConfiguration?.Rule?.DefaultRetention;
            int days = byDefault?.Days is > 0 and int counted ? counted : (byDefault?.Years ?? 0) * 365;
            return (response.ObjectLockConfiguration?.ObjectLockEnabled == ObjectLockEnabled.Enabled, days > 0 ? TimeSpan.FromDays(days) : null);
        }
        catch (AmazonS3Exception error) when (error.StatusCode == HttpStatusCode.NotFound || error.ErrorCode is "ObjectLockConfigurationNotFoundError")
        {
            return (false, null);
        }
        catch (AmazonServiceException)
        {
            return (null, null); // It does not know the question, or we may not ask it.
        }
    }

    private static async Task<T?> TryAsync<T>(
        S3Context context, string action, Func<IAmazonS3, StallGuard, Task<T>> send, CancellationToken cancellationToken) where T : class
    {
        try
        {
            return await context.Requests.SendAsync(new S3Operation(action, "", false), send, cancellationToken).ConfigureAwait(false);
        }
        catch (AmazonServiceException)
        {
            return null; // It does not know the question, or we may not ask it.
        }
    }
}
