using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.TestServers;

namespace PgBackup.Bench;

/// <summary>A folder of a bucket.</summary>
/// <param name="server">The store, which is looked at without the proxy.</param>
/// <param name="bucket">The bucket.</param>
/// <param name="prefix">The folder, without slashes around it.</param>
/// <param name="endpoint">Where the tools shall find the store.</param>
/// <param name="caFile">The authority that signed its certificate, readable by the server's account; null for plain HTTP.</param>
internal sealed class BucketHome(StoreServer server, string bucket, string prefix, Uri endpoint, string? caFile) : RepositoryHome
{
    private const string Region = "us-east-1";

    public override string Repository => $"s3://{bucket}/{prefix}";

    public override IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string>
    {
        ["AWS_ENDPOINT"] = endpoint.AbsoluteUri.TrimEnd('/'),
        ["AWS_ACCESS_KEY_ID"] = server.AccessKey,
        ["AWS_SECRET_ACCESS_KEY"] = server.SecretKey,
        ["AWS_REGION"] = Region,
        ["AWS_S3_FORCE_PATH_STYLE"] = "true",
        ["WALG_S3_CA_CERT_FILE"] = caFile ?? "",
    };

    public override string PgBackRestOptions => $"""
        repo1-type=s3
        repo1-path=/{prefix}
        repo1-s3-bucket={bucket}
        repo1-s3-endpoint={endpoint.Host}
        repo1-storage-port={endpoint.Port}
        repo1-s3-region={Region}
        repo1-s3-uri-style=path
        repo1-s3-key={server.AccessKey}
        repo1-s3-key-secret={server.SecretKey}
        repo1-storage-ca-file={caFile}
        """;

    /// <summary>The same bucket at the same address, another folder.</summary>
    public BucketHome Sibling(string folder) => new(server, bucket, folder, endpoint, caFile);

    public override async Task<IReadOnlyList<string>> FoldersInAsync(string folder, CancellationToken cancellationToken)
    {
        using AmazonS3Client client = server.Client();
        List<string> folders = [];
        ListObjectsV2Request request = new() { BucketName = bucket, Prefix = $"{prefix}/{folder}", Delimiter = "/" };
        await foreach (string common in client.Paginators.ListObjectsV2(request).CommonPrefixes.WithCancellation(cancellationToken))
            folders.Add(common[request.Prefix.Length..].TrimEnd('/'));
        return folders;
    }

    public override async Task<long> BytesAsync(string folder, CancellationToken cancellationToken)
    {
        using AmazonS3Client client = server.Client();
        long bytes = 0;
        ListObjectsV2Request request = new() { BucketName = bucket, Prefix = $"{prefix}/{folder}" };
        await foreach (S3Object item in client.Paginators.ListObjectsV2(request).S3Objects.WithCancellation(cancellationToken))
            bytes += item.Size ?? 0;
        return bytes;
    }

    // The store keeps all in memory.
    public override void Warm(string folder, CancellationToken cancellationToken)
    {
    }
}
