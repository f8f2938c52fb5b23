using System.Collections.Concurrent;
using System.Net;
using Amazon.Runtime;

namespace PgBackup.Storage.S3;

/// <summary>What a store does not take; each is found out by its first refusal, and kept for the process.</summary>
[Flags]
internal enum S3Lack
{
    /// <summary>It takes all.</summary>
    None = 0,

    /// <summary>No <c>UNSIGNED-PAYLOAD</c>: the body's SHA-256 has to be signed.</summary>
    UnsignedPayload = 1,

    /// <summary>No <c>x-amz-checksum-…</c>: <c>Content-MD5</c> alone proves the transfer.</summary>
    Checksum = 2,

    /// <summary>No <c>If-None-Match</c>: only the look before the put guards what is there.</summary>
    Condition = 4,

    /// <summary>No <c>If-None-Match</c> at the end of a multipart upload.</summary>
    CompletionCondition = 8,

    /// <summary>No deletion of many at once.</summary>
    BatchDelete = 16,

    /// <summary>No copying within the store: the bytes pass through here.</summary>
    Copy = 32,
}

/// <summary>What is known of a bucket of a store, shared by all of the process that use it.</summary>
internal sealed class S3Traits
{
    private static readonly ConcurrentDictionary<string, S3Traits> s_known = new(StringComparer.Ordinal);
    private static readonly S3Lack[] s_waysOut =
    [
        S3Lack.Checksum, S3Lack.UnsignedPayload, S3Lack.Checksum | S3Lack.UnsignedPayload, S3Lack.CompletionCondition, S3Lack.Condition,
    ];

    private int _lacks;

    /// <summary>What the store lacks.</summary>
    public S3Lack Lacks => (S3Lack)Volatile.Read(ref _lacks);

    /// <summary>True once a conditional put was refused because of what is there.</summary>
    public bool HasKeptCondition { get; set; }

    /// <summary>True once the bucket has answered: that something is not found then speaks of the object.</summary>
    public bool IsBucketSeen { get; set; }

    /// <summary>The traits of a bucket.</summary>
    public static S3Traits Of(S3Settings settings) =>
        s_known.GetOrAdd($"{settings.EndpointUrl?.AbsoluteUri} {settings.Bucket}", static _ => new S3Traits());

    /// <summary>Remembers.</summary>
    public void Remember(S3Lack lack) => Interlocked.Or(ref _lacks, (int)lack);

    /// <summary>
    /// What to try without, in turn, after a refusal of a request that held so much; each of these alone first, so that nothing is given up
    /// that was not the reason. Empty when the refusal is none of the request's form.
    /// </summary>
    public static IReadOnlyList<S3Lack> WaysOut(AmazonServiceException refusal, S3Lack held)
    {
        bool ofForm = refusal.StatusCode is HttpStatusCode.BadRequest or HttpStatusCode.NotImplemented or HttpStatusCode.MethodNotAllowed
            or HttpStatusCode.LengthRequired or HttpStatusCode.UnsupportedMediaType;
        if (!ofForm)
            return [];
        switch (refusal.ErrorCode)
        {
            case "XAmzContentSHA256Mismatch" or "MissingContentSHA256" or "InvalidDigest":
                return (held & S3Lack.UnsignedPayload) == 0 ? [] : [S3Lack.UnsignedPayload];
            // These speak of what is asked for, not of how.
            case "InvalidStorageClass" or "EntityTooLarge" or "EntityTooSmall" or "InvalidBucketName" or "KeyTooLongError" or "InvalidBucketState"
                or "AuthorizationHeaderMalformed" or "ExpiredToken" or "InvalidToken" or "TokenRefreshRequired" or "InvalidPart" or "InvalidPartOrder"
                or "RequestTimeout" or "BadDigest" or "IncompleteBody" or "InvalidEncryptionAlgorithmError" or "KMS.NotFoundException":
                return [];
        }
        var ways = new List<S3Lack>();
        foreach (S3Lack way in s_waysOut)
        {
            if ((held & way) == way && !ways.Contains(way))
                ways.Add(way);
        }
        if (!ways.Contains(held) && held != S3Lack.None)
            ways.Add(held);
        return ways;
    }

    /// <summary>What is done in place of what the store lacks, a sentence each.</summary>
    public IReadOnlyList<string> Describe()
    {
        var sentences = new List<string>();
        S3Lack lacks = Lacks;
        if (lacks.HasFlag(S3Lack.UnsignedPayload))
            sentences.Add("The store takes no unsigned bodies: the SHA-256 of every body is signed, which costs time.");
        if (lacks.HasFlag(S3Lack.Checksum))
            sentences.Add("The store takes no checksum headers: uploads are proven by Content-MD5 and the ETag.");
        if (lacks.HasFlag(S3Lack.Condition))
            sentences.Add("The store has no conditional put: a look before the put takes its place, which two at once can both pass.");
        else if (lacks.HasFlag(S3Lack.CompletionCondition))
            sentences.Add("The store has no condition at the end of a multipart upload: a look just before takes its place, which two at once can both pass.");
        if (lacks.HasFlag(S3Lack.BatchDelete))
            sentences.Add("The store does not delete many objects at once: they are deleted one by one.");
        if (lacks.HasFlag(S3Lack.Copy))
            sentences.Add("The store does not copy objects by itself: copies pass through this machine.");
        return sentences;
    }
}
