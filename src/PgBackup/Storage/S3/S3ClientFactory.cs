using Amazon;
using Amazon.Runtime;
using Amazon.S3;

namespace PgBackup.Storage.S3;

/// <summary>Makes the SDK's client from the settings.</summary>
internal static class S3ClientFactory
{
    private const string DefaultRegion = "us-east-1";

    /// <summary>The region to sign for: the one given, the environment's, the profile's, or the one that stores other than AWS go by.</summary>
    public static string RegionOf(S3Settings settings) =>
        settings.Region
        ?? S3Credentials.Variable("AWS_REGION")
        ?? S3Credentials.Variable("AWS_DEFAULT_REGION")
        ?? S3Credentials.ProfileOf(settings)?.Region?.SystemName
        ?? DefaultRegion;

    /// <summary>Makes the client.</summary>
    public static PgBackupS3Client Create(S3Settings settings, string region, AWSCredentials credentials, S3Transport transport)
    {
        var config = new AmazonS3Config
        {
            ForcePathStyle = settings.ForcePathStyle ?? settings.EndpointUrl is not null,
            HttpClientFactory = transport,
            MaxErrorRetry = 0,
            Timeout = Timeout.InfiniteTimeSpan, // Each attempt has a bound of its own, which counts idle time only.
            BufferSize = 1 << 16, // Below the size from which the runtime keeps arrays apart.
            // Checksums are computed here, over parts that lie in memory, and sent in headers; what the SDK adds by itself (trailing
            // checksums in chunked bodies) is what older stores refuse.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            UseArnRegion = true,
        };
        if (settings.EndpointUrl is { } endpoint)
        {
            config.ServiceURL = endpoint.AbsoluteUri;
            config.AuthenticationRegion = region;
        }
        else
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(region);
        }
        return new PgBackupS3Client(credentials, config);
    }
}
