namespace PgBackup.Storage.S3;

/// <summary>How the store itself encrypts what lies in it; nothing to do with the repository's own encryption.</summary>
public enum S3ServerSideEncryption
{
    /// <summary>As the bucket says.</summary>
    BucketDefault,

    /// <summary>SSE-S3: keys of the store (<c>AES256</c>).</summary>
    Aes256,

    /// <summary>SSE-KMS: a key of a key management service (<c>aws:kms</c>).</summary>
    Kms,

    /// <summary>SSE-C: a key that goes with every request.</summary>
    CustomerKey,
}

/// <summary>How firmly object lock holds an object until its date.</summary>
public enum S3RetentionMode
{
    /// <summary>Who has the right to may shorten it.</summary>
    Governance,

    /// <summary>Nobody may shorten it.</summary>
    Compliance,
}

/// <summary>An access key with its secret.</summary>
/// <param name="AccessKey">The access key id; no secret.</param>
/// <param name="SecretKey">The secret access key.</param>
/// <param name="SessionToken">The session token of temporary credentials; null for lasting ones.</param>
public sealed record S3Credential(string AccessKey, SecretText SecretKey, SecretText? SessionToken = null);

/// <summary>A repository in a bucket of an S3-compatible store. What is null is the SDK's default.</summary>
public sealed record S3Settings : StorageSettings
{
    /// <summary>wal-g's part size: 20 MiB (WALG_S3_MAX_PART_SIZE).</summary>
    public const long DefaultPartSize = 20L << 20;

    /// <summary>wal-g's number of retries (WALG_S3_MAX_RETRIES).</summary>
    public const int DefaultMaxRetries = 15;

    /// <summary>The bucket.</summary>
    public required string Bucket { get; init; }

    /// <summary>What stands before every key, without a slash at either end; empty for the bucket's root.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>The store's address, for stores other than AWS.</summary>
    public Uri? EndpointUrl { get; init; }

    /// <summary>True for Amazon's own store, whose listings hold what was put a moment before ("Amazon S3 data consistency model", S3 User Guide).</summary>
    internal bool IsAmazon => EndpointUrl is null
        || EndpointUrl.Host.EndsWith(".amazonaws.com", StringComparison.OrdinalIgnoreCase) || EndpointUrl.Host.EndsWith(".amazonaws.com.cn", StringComparison.OrdinalIgnoreCase);

    /// <summary>The region.</summary>
    public string? Region { get; init; }

    /// <summary>Whether the bucket stands in the path rather than in the host name; null: it does when <see cref="EndpointUrl"/> is given.</summary>
    public bool? ForcePathStyle { get; init; }

    /// <summary>A profile of the shared credentials and configuration files; when it is missing, that is an error.</summary>
    public string? ProfileName { get; init; }

    /// <summary>The shared credentials file (AWS_SHARED_CREDENTIALS_FILE).</summary>
    public string? CredentialsFile { get; init; }

    /// <summary>The credential; goes before profile and environment.</summary>
    public S3Credential? Credential { get; init; }

    /// <summary>The storage class of new objects, for example <c>STANDARD_IA</c> (WALG_S3_STORAGE_CLASS).</summary>
    public string? StorageClass { get; init; }

    /// <summary>How the store encrypts (WALG_S3_SSE, WALG_S3_SSE_C).</summary>
    public S3ServerSideEncryption ServerSideEncryption { get; init; }

    /// <summary>The key's id, for <see cref="S3ServerSideEncryption.Kms"/> (WALG_S3_SSE_KMS_ID); null for the account's default key.</summary>
    public string? KmsKeyId { get; init; }

    /// <summary>32 bytes in base64, for <see cref="S3ServerSideEncryption.CustomerKey"/> (WALG_S3_SSE_C).</summary>
    public SecretText? CustomerKey { get; init; }

    /// <summary>For how long object lock shall hold what is uploaded (S3_RETENTION_PERIOD, seconds); null for no lock of ours.</summary>
    public TimeSpan? RetentionPeriod { get; init; }

    /// <summary>How firmly (S3_RETENTION_MODE).</summary>
    public S3RetentionMode RetentionMode { get; init; }

    /// <summary>A PEM file of certificate authorities to trust in place of the system's (WALG_S3_CA_CERT_FILE).</summary>
    public string? CaCertificateFile { get; init; }

    /// <summary>An HTTP proxy; null: HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment.</summary>
    public Uri? ProxyUrl { get; init; }

    /// <summary>The bytes of the first parts of an upload (WALG_S3_MAX_PART_SIZE); later parts grow, so that 10,000 suffice.</summary>
    public long PartSize { get; init; } = DefaultPartSize;

    /// <summary>How often a request is tried again (WALG_S3_MAX_RETRIES).</summary>
    public int MaxRetries { get; init; } = DefaultMaxRetries;

    /// <summary>The largest number of requests of one store in flight.</summary>
    public int ConcurrentRequests { get; init; } = 8;

    /// <summary>How long one request may be tried, all retries and all throttling together.</summary>
    public TimeSpan RequestDeadline { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>After how long without a byte an attempt counts as broken.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a connection may take to come about.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <inheritdoc/>
    public override string Location => Prefix.Length == 0 ? $"s3://{Bucket}" : $"s3://{Bucket}/{Prefix}";
}
