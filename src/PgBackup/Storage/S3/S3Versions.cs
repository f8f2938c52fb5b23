using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Errors;

namespace PgBackup.Storage.S3;

/// <summary>Versions that a bucket keeps of objects that were deleted.</summary>
internal static class S3Versions
{
    private const int BatchSize = 1_000; // "DeleteObjects", Amazon S3 API Reference.

    /// <summary>Removes those of deleted objects that are wanted; returns how many, markers of deletion included.</summary>
    public static async Task<long> PurgeAsync(S3Context context, string folder, Func<string, bool> isWanted, CancellationToken cancellationToken)
    {
        var batch = new List<KeyVersion>(BatchSize);
        var failures = new List<DeleteError>();
        long count = 0;
        string? deleted = null, keyMarker = null, versionMarker = null;
        while (true)
        {
            var request = new ListVersionsRequest { BucketName = context.Bucket, Prefix = context.NameOfFolder(folder), KeyMarker = keyMarker, VersionIdMarker = versionMarker, Encoding = EncodingType.Url };
            ListVersionsResponse page = await context.Requests.RunAsync(
                S3Operation.ListVersions(folder), (client, guard) => client.ListVersionsAsync(request, guard.Token), cancellationToken).ConfigureAwait(false);
            foreach (S3ObjectVersion version in page.Versions ?? [])
            {
                string name = S3Listing.Decode(version.Key, EncodingType.Url);
                // The newest of a key comes first: when that is a marker, the object is deleted, and all that follows of it is its past.
                if (version.IsLatest == true)
                    deleted = version.IsDeleteMarker == true ? name : null;
                if (name != deleted || !context.TryKeyOf(name, out string? key) || !isWanted(key))
                    continue;
                batch.Add(new KeyVersion { Key = name, VersionId = version.VersionId });
                count++;
                if (batch.Count == BatchSize)
                    await DeleteAsync(context, folder, batch, failures, cancellationToken).ConfigureAwait(false);
            }
            if (page.IsTruncated != true || (page.NextKeyMarker == keyMarker && page.NextVersionIdMarker == versionMarker))
                break;
            (keyMarker, versionMarker) = (page.NextKeyMarker, page.NextVersionIdMarker);
        }
        await DeleteAsync(context, folder, batch, failures, cancellationToken).ConfigureAwait(false);
        if (failures.Count == 0)
            return count;
        string[] keys = [.. failures.Select(static f => f.Key)];
        string reason = S3ErrorMapping.Sentence($"{failures[0].Code}: {failures[0].Message}");
        PgBackupException incomplete = PgErrors.DeletionIncomplete(context.Location, keys, (int)Math.Min(count, int.MaxValue), reason, null);
        throw failures.TrueForAll(static f => f.Code is "AccessDenied" or "ObjectLocked" || S3ErrorMapping.IsOfLock(f.Message)) ? PgErrors.ObjectLocked(context.Location, keys[0], incomplete) : incomplete;
    }

    private static async Task DeleteAsync(S3Context context, string folder, List<KeyVersion> batch, List<DeleteError> failures, CancellationToken cancellationToken)
    {
        if (batch.Count == 0)
            return;
        var request = new DeleteObjectsRequest { BucketName = context.Bucket, Quiet = true, Objects = [.. batch] };
        batch.Clear();
        S3Operation operation = S3Operation.DeleteVersions(folder);
        try
        {
            DeleteObjectsResponse response = await context.Requests.SendAsync(operation, (client, guard) => client.DeleteObjectsAsync(request, guard.Token), cancellationToken).ConfigureAwait(false);
            failures.AddRange(response.DeleteErrors ?? []);
        }
        catch (DeleteObjectsException error)
        {
            failures.AddRange(error.Response.DeleteErrors); // The answer was 200: some went, some did not.
        }
        catch (Exception error) when (S3ErrorMapping.IsOfStore(error, cancellationToken))
        {
            throw context.Requests.Explain(error, operation);
        }
    }
}
