using System.Buffers.Binary;
using System.Globalization;
using System.IO.Hashing;
using System.Net;
using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Errors;

namespace PgBackup.Storage.S3;

/// <summary>What an upload must have become.</summary>
/// <param name="Size">The bytes.</param>
/// <param name="ETag">What the ETag is where the store makes it of MD5: of the content, or of the parts' digests.</param>
/// <param name="Checksum">The CRC-32 in the form of a header, of the content or (with a count behind it) of the parts.</param>
/// <param name="Token">The mark by which the object is known as ours.</param>
/// <param name="Started">When its upload began, by the store's clock.</param>
internal sealed record ExpectedObject(long Size, string ETag, string? Checksum, string Token, DateTimeOffset Started);

/// <summary>
/// The proof after an upload: a store that says 200 is asked what lies there, and size and digests are compared with what was sent.
/// </summary>
internal static class S3Confirmation
{
    /// <summary>The metadata that holds an object's mark.</summary>
    public const string TokenName = "pgbackup-write";

    /// <summary>The metadata that holds the content's CRC-32 (eight hexadecimal digits), where it was known before the upload.</summary>
    public const string ContentCrcName = "pgbackup-crc32";

    // A store whose answers lag is asked again, at most for so long.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(15);

    /// <summary>Asks; null when there is nothing.</summary>
    public static async Task<GetObjectMetadataResponse?> HeadAsync(S3Context context, string key, bool withChecksum, CancellationToken cancellationToken)
    {
        S3Operation operation = S3Operation.Get(key);
        var request = new GetObjectMetadataRequest { BucketName = context.Bucket, Key = context.NameOf(key) };
        if (withChecksum && !context.Requests.Traits.Lacks.HasFlag(S3Lack.Checksum))
            request.ChecksumMode = ChecksumMode.ENABLED;
        context.Settings.Apply(request);
        try
        {
            return await context.Requests.SendAsync(
                operation, (client, guard) => client.GetObjectMetadataAsync(request, guard.Token), cancellationToken).ConfigureAwait(false);
        }
        catch (AmazonS3Exception error) when (error.StatusCode == HttpStatusCode.NotFound)
        {
            if (error.ErrorCode == "NoSuchBucket")
                throw context.Requests.Explain(error, operation);
            if (!context.Requests.Traits.IsBucketSeen)
                await AskForBucketAsync(context, cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (AmazonS3Exception error) when (error.StatusCode is HttpStatusCode.Forbidden or HttpStatusCode.BadRequest or HttpStatusCode.MovedPermanently)
        {
            // An answer to HEAD has no body that could say why; the same question by GET has.
            await AskForReasonAsync(context, key, cancellationToken).ConfigureAwait(false);
            throw context.Requests.Explain(error, operation);
        }
        catch (Exception error) when (S3ErrorMapping.IsOfStore(error, cancellationToken))
        {
            throw context.Requests.Explain(error, operation);
        }
    }

    /// <summary>
    /// Throws <c>StorageConfirmationFailed</c> unless what lies there is what was sent; removes it then, if it is surely ours. True when the store told a digest of our
    /// bytes, and not their size alone.
    /// </summary>
    public static async Task<bool> ConfirmAsync(S3Context context, string key, ExpectedObject expected, CancellationToken cancellationToken)
    {
        long deadline = Environment.TickCount64 + (long)s_patience.TotalMilliseconds;
        for (int attempt = 0; ; attempt++)
        {
            GetObjectMetadataResponse? found = await HeadAsync(context, key, withChecksum: true, cancellationToken).ConfigureAwait(false);
            if (found is not null && !IsOurs(found, expected))
            {
                // Without a condition the last of two writers wins: ours was stored, and replaced meanwhile.
                if (IsOfLaterWriter(found, expected))
                    return false;
            }
            string? difference = found is null ? "nothing lies there." : Difference(found, expected, context.Bucket);
            if (difference is null)
                return HasComparableChecksum(found!, expected) || HasComparableETag(found!, context.Bucket);
            if (found is not null && IsOurs(found, expected))
            {
                await RemoveWrongAsync(context, key, cancellationToken).ConfigureAwait(false);
                throw PgErrors.StorageConfirmationFailed(context.Location, key, difference);
            }
            if (Environment.TickCount64 > deadline)
                throw PgErrors.StorageConfirmationFailed(context.Location, key, difference);
            await Task.Delay(S3RetryRules.Delay(attempt, Random.Shared), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Whether the object bears our mark.</summary>
    public static bool IsOurs(GetObjectMetadataResponse found, ExpectedObject expected) => found.Metadata[TokenName] == expected.Token;

    /// <summary>In what an object is not what was sent; null when it is.</summary>
    public static string? Difference(GetObjectMetadataResponse found, ExpectedObject expected, string bucket)
    {
        if (found.ContentLength != expected.Size)
            return string.Create(CultureInfo.InvariantCulture, $"it has {found.ContentLength} bytes instead of {expected.Size}.");
        if (HasComparableChecksum(found, expected) && found.ChecksumCRC32 != expected.Checksum)
            return $"its CRC-32 is {found.ChecksumCRC32} instead of {expected.Checksum}.";
        string etag = Plain(found.ETag);
        if (HasComparableETag(found, bucket) && !string.Equals(etag, expected.ETag, StringComparison.OrdinalIgnoreCase))
            return $"its ETag is {etag} instead of {expected.ETag}.";
        return null;
    }

    // A composite checksum says so by its count; one of another form (of the whole content, say) cannot be compared.
    private static bool HasComparableChecksum(GetObjectMetadataResponse found, ExpectedObject expected) =>
        expected.Checksum is { } checksum && found.ChecksumCRC32 is { Length: > 0 } stored
        && stored.Contains('-', StringComparison.Ordinal) == checksum.Contains('-', StringComparison.Ordinal);

    private static bool HasComparableETag(GetObjectMetadataResponse found, string bucket) => IsOfMd5(Plain(found.ETag)) && HasMd5ETag(found, bucket);

    /// <summary>An ETag without its quotes.</summary>
    public static string Plain(string? etag) => (etag ?? "").Replace("W/", "", StringComparison.Ordinal).Trim('"');

    /// <summary>Whether an ETag has the form of an MD5, or of a digest of parts' MD5 with their count.</summary>
    public static bool IsOfMd5(string etag) =>
        etag.Length >= 32 && etag.AsSpan(0, 32).IndexOfAnyExcept("0123456789abcdefABCDEF") < 0
        && (etag.Length == 32 || (etag[32] == '-' && int.TryParse(etag.AsSpan(33), NumberStyles.None, CultureInfo.InvariantCulture, out _)));

    /// <summary>The ETag of an object put together of parts: the MD5 of their MD5s, and their count.</summary>
    public static string ETagOf(IReadOnlyList<UploadedPart> parts)
    {
        byte[] digests = new byte[parts.Count * 16];
        for (int i = 0; i < parts.Count; i++)
            parts[i].Md5.CopyTo(digests, i * 16);
        return string.Create(CultureInfo.InvariantCulture, $"{Convert.ToHexStringLower(MD5.HashData(digests))}-{parts.Count}");
    }

    /// <summary>The composite checksum: the CRC-32 of the parts' CRC-32s, and their count.</summary>
    public static string ChecksumOf(IReadOnlyList<UploadedPart> parts)
    {
        byte[] sums = new byte[parts.Count * 4];
        for (int i = 0; i < parts.Count; i++)
            parts[i].Crc32.CopyTo(sums, i * 4);
        byte[] value = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(value, Crc32.HashToUInt32(sums));
        return string.Create(CultureInfo.InvariantCulture, $"{Convert.ToBase64String(value)}-{parts.Count}");
    }

    /// <summary>
    /// Whether the ETag is made of MD5: it is not where a key service or a customer's key encrypts, nor in directory buckets. Source: "Checking
    /// object integrity in Amazon S3".
    /// </summary>
    public static bool HasMd5ETag(GetObjectMetadataResponse found, string bucket) =>
        (found.ServerSideEncryptionMethod is null || found.ServerSideEncryptionMethod == ServerSideEncryptionMethod.None
            || found.ServerSideEncryptionMethod == ServerSideEncryptionMethod.AES256)
        && string.IsNullOrEmpty(found.ServerSideEncryptionKeyManagementServiceKeyId)
        && string.IsNullOrEmpty(found.ServerSideEncryptionCustomerProvidedKeyMD5)
        && !bucket.EndsWith("--x-s3", StringComparison.Ordinal);

    // Stores count whole seconds.
    private static bool IsOfLaterWriter(GetObjectMetadataResponse found, ExpectedObject expected) =>
        !string.IsNullOrEmpty(found.Metadata[TokenName]) && found.LastModified is { } written
        && new DateTimeOffset(written.ToUniversalTime()).ToUnixTimeSeconds() >= expected.Started.ToUnixTimeSeconds();

    private static async Task RemoveWrongAsync(S3Context context, string key, CancellationToken cancellationToken)
    {
        try
        {
            await context.Requests.SendAsync(
                S3Operation.Delete(key),
                (client, guard) => client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = context.Bucket, Key = context.NameOf(key) }, guard.Token),
                cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (S3ErrorMapping.IsOfStore(error, cancellationToken))
        {
            // It may be locked. That the object is wrong is the error to tell; its reader finds out by the checksum.
        }
    }

    private static async Task AskForReasonAsync(S3Context context, string key, CancellationToken cancellationToken)
    {
        var request = new GetObjectRequest { BucketName = context.Bucket, Key = context.NameOf(key), ByteRange = new ByteRange(0, 0) };
        context.Settings.Apply(request);
        using GetObjectResponse response = await context.Requests.RunAsync(
            S3Operation.Get(key), (client, guard) => client.GetObjectAsync(request, guard.Token), cancellationToken).ConfigureAwait(false);
    }

    private static Task AskForBucketAsync(S3Context context, CancellationToken cancellationToken) =>
        context.Requests.RunAsync(
            S3Operation.List(""),
            (client, guard) => client.ListObjectsV2Async(
                new ListObjectsV2Request { BucketName = context.Bucket, Prefix = context.NameOfFolder(""), MaxKeys = 1 }, guard.Token),
            cancellationToken);
}
