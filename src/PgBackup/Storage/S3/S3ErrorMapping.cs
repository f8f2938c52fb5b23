using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text.RegularExpressions;
using System.Xml;
using Amazon.Runtime;
using PgBackup.Errors;

namespace PgBackup.Storage.S3;

/// <summary>What an error has to say of the store.</summary>
internal sealed record S3ErrorContext(S3Settings Settings, string Region, string? BucketRegion, TimeSpan? ClockSkew);

/// <summary>
/// Makes the failure that users see of what the SDK throws. Messages of the store are handed on only from the answer's own text, which holds
/// neither secrets nor signed addresses. Source of the codes: "Amazon S3 error responses", list of error codes.
/// </summary>
internal static partial class S3ErrorMapping
{
    /// <summary>Whether it is a failure of the store, and not the caller's own giving up or one that is told already.</summary>
    public static bool IsOfStore(Exception error, CancellationToken cancellationToken) =>
        error is not PgBackupException && !(error is OperationCanceledException && cancellationToken.IsCancellationRequested)
        && error is AmazonClientException or AmazonServiceException or HttpRequestException or IOException or SocketException or TimeoutException
            or OperationCanceledException or InvalidOperationException or FormatException or XmlException;

    /// <summary>Makes the failure.</summary>
    public static PgBackupException Map(Exception error, S3Operation operation, S3ErrorContext context)
    {
        string location = context.Settings.Location;
        if (error is AmazonServiceException { StatusCode: not 0 } service)
            return Map(service, operation, context) ?? Generic(service, operation, location);
        Exception root = error;
        for (Exception? inner = error; inner is not null; inner = inner.InnerException)
        {
            root = inner;
            if (inner is AuthenticationException)
                return PgErrors.StorageCertificateRefused(location, context.Settings.EndpointUrl, Sentence(Deepest(inner).Message), error);
        }
        bool ofConnection = root is SocketException or HttpRequestException
            || error is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.ProxyTunnelError };
        return ofConnection || root is TimeoutException
            ? PgErrors.StorageUnreachable(location, context.Settings.EndpointUrl, Sentence(root.Message), error)
            : Generic(error, operation, location);
    }

    private static PgBackupException? Map(AmazonServiceException error, S3Operation operation, S3ErrorContext context)
    {
        string location = context.Settings.Location;
        string said = error.Message ?? "";
        // Before the codes: of a key that it does not know, Ceph 16 says InvalidAccessKeyId.
        if (error.ErrorCode?.StartsWith("KMS.", StringComparison.Ordinal) == true || error.ErrorCode == "InvalidEncryptionAlgorithmError"
            || said.Contains("kms-keyid", StringComparison.Ordinal) || said.Contains("KMS", StringComparison.Ordinal) || said.Contains("kms:", StringComparison.Ordinal))
            return PgErrors.StorageKeyServiceFailed(location, context.Settings.KmsKeyId, Sentence(said.Length == 0 ? error.ErrorCode! : said), error);
        switch (error.ErrorCode)
        {
            case "NoSuchBucket":
                return PgErrors.BucketNotFound(location, context.Settings.Bucket, error);
            case "NoSuchKey":
                return PgErrors.ObjectNotFound(location, operation.Key);
            case "RequestTimeTooSkewed" or "RequestExpired" or "RequestInTheFuture":
                return PgErrors.StorageClockSkewed(location, context.ClockSkew, error);
            case "InvalidAccessKeyId":
                return PgErrors.StorageAccessKeyUnknown(location, error);
            case "SignatureDoesNotMatch":
                return PgErrors.StorageSecretWrong(location, error);
            case "ExpiredToken" or "ExpiredTokenException" or "TokenRefreshRequired" or "InvalidToken":
                return PgErrors.StorageCredentialExpired(location, error);
            case "PermanentRedirect" or "TemporaryRedirect" or "AuthorizationHeaderMalformed" or "IllegalLocationConstraintException" or "MovedPermanently":
                return PgErrors.StorageRegionWrong(location, context.Region, context.BucketRegion ?? RegionIn(said), error);
            case "ObjectLocked" or "ObjectUnderRetention":
                return PgErrors.ObjectLocked(location, operation.Key, error);
            case "QuotaExceeded" or "InsufficientStorage" or "XMinioStorageFull" or "StorageFull" or "EntityTooLarge" or "InsufficientCapacity":
                return PgErrors.StorageFull(location, operation.Key, Sentence(said.Length == 0 ? error.ErrorCode : said), error);
        }
        if (error.StatusCode == HttpStatusCode.BadRequest && operation.Writes && context.Settings.RetentionPeriod is not null
            && error.ErrorCode is "InvalidRequest" or "InvalidArgument")
            return PgErrors.ObjectLockRefused(location, context.Settings.Bucket, Sentence(said.Length == 0 ? error.ErrorCode : said), error);
        switch (error.StatusCode)
        {
            case HttpStatusCode.MovedPermanently or HttpStatusCode.TemporaryRedirect:
                return PgErrors.StorageRegionWrong(location, context.Region, context.BucketRegion ?? RegionIn(said), error);
            case HttpStatusCode.InsufficientStorage:
                return PgErrors.StorageFull(location, operation.Key, Sentence(said), error);
            case HttpStatusCode.NotFound when !operation.Writes && operation.Action == "s3:GetObject":
                return PgErrors.ObjectNotFound(location, operation.Key);
            case HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized:
                return IsOfLock(said)
                    ? PgErrors.ObjectLocked(location, operation.Key, error)
                    : PgErrors.StorageAccessDenied(location, ActionIn(said) ?? operation.Action, operation.Key, error);
        }
        return null;
    }

    /// <summary>Whether a refusal speaks of object lock. The code is <c>AccessDenied</c>, so that only the words tell.</summary>
    public static bool IsOfLock(string? said) =>
        said is not null && (said.Contains("object lock", StringComparison.OrdinalIgnoreCase) || said.Contains("WORM", StringComparison.Ordinal)
            || said.Contains("retention", StringComparison.OrdinalIgnoreCase) || said.Contains("legal hold", StringComparison.OrdinalIgnoreCase)
            || said.Contains("object is locked", StringComparison.OrdinalIgnoreCase) || said.Contains("forbidden by object lock", StringComparison.OrdinalIgnoreCase));

    /// <summary>A text as a sentence on one line.</summary>
    public static string Sentence(string text)
    {
        string line = UserInfo().Replace(text.ReplaceLineEndings(" ").Trim(), "://"); // .NET names a proxy together with its password.
        return line.Length == 0 ? "it does not say why." : line[^1] is '.' or '!' or '?' ? line : line + ".";
    }

    private static PgBackupException Generic(Exception error, S3Operation operation, string location)
    {
        Exception told = new IOException(Describe(error), error);
        return operation.Writes
            ? PgErrors.StorageWriteFailed(location, operation.Key, told)
            : PgErrors.StorageReadFailed(location, operation.Key, told);
    }

    private static string Describe(Exception error)
    {
        if (error is AmazonServiceException { StatusCode: not 0 } service)
        {
            string code = string.IsNullOrEmpty(service.ErrorCode) ? "" : $" {service.ErrorCode}";
            // An answer that is not the store's own, such as a proxy's page, is not repeated.
            string said = service is AmazonUnmarshallingException || string.IsNullOrWhiteSpace(service.Message) ? "" : $": {service.Message}";
            return Sentence($"The store answered {(int)service.StatusCode}{code}{said}");
        }
        return Sentence(Deepest(error).Message);
    }

    private static Exception Deepest(Exception error)
    {
        while (error.InnerException is { } inner)
            error = inner;
        return error;
    }

    private static string? RegionIn(string said) => RegionPattern().Match(said) is { Success: true } match ? match.Groups[1].Value : null;

    private static string? ActionIn(string said) => ActionPattern().Match(said) is { Success: true } match ? match.Value : null;

    [GeneratedRegex(@"expecting '([a-z0-9-]+)'", RegexOptions.CultureInvariant)]
    private static partial Regex RegionPattern();

    [GeneratedRegex(@"\bs3:[A-Z][A-Za-z]+\b", RegexOptions.CultureInvariant)]
    private static partial Regex ActionPattern();

    [GeneratedRegex(@"://[^/\s'""]*@", RegexOptions.CultureInvariant)]
    private static partial Regex UserInfo();
}
