using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace PgBackup.TestServers;

/// <summary>A real S3 server on the loopback, with data of its own that ends with it.</summary>
public abstract class StoreServer : IAsyncDisposable
{
    private int _buckets;

    private protected StoreServer(string name)
    {
        Name = name;
        Folder = new ServerFolder(name);
    }

    /// <summary>The kind of server, as the command line calls it.</summary>
    public string Name { get; }

    /// <summary>Where it answers HTTP.</summary>
    public Uri Endpoint { get; private protected set; } = null!;

    /// <summary>Where it answers HTTPS; null where it does not.</summary>
    public Uri? TlsEndpoint { get; private protected set; }

    /// <summary>The PEM file of the authority that signed its certificate; null without TLS.</summary>
    public string? CaFile { get; private protected set; }

    /// <summary>The access key of the account that may do all.</summary>
    public virtual string AccessKey => "test";

    /// <summary>Its secret.</summary>
    public virtual string SecretKey => "testsecret";

    /// <summary>What lies in its folder; the server's processes are those that name it on their command line.</summary>
    private protected ServerFolder Folder { get; }

    /// <summary>Amazon's client for it, with settings that every server here accepts; to look at the store with eyes that are not ours.</summary>
    public AmazonS3Client Client(string? accessKey = null, string? secretKey = null) => new(
        new BasicAWSCredentials(accessKey ?? AccessKey, secretKey ?? SecretKey),
        new AmazonS3Config
        {
            ServiceURL = Endpoint.AbsoluteUri,
            AuthenticationRegion = "us-east-1",
            ForcePathStyle = true,
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        });

    /// <summary>Makes a bucket, empty, with a name that it returns.</summary>
    public async Task<string> CreateBucketAsync(bool versioning = false, bool objectLock = false, string? name = null)
    {
        name ??= $"bucket-{Interlocked.Increment(ref _buckets)}-{Guid.NewGuid():N}"[..30];
        using AmazonS3Client client = Client();
        await client.PutBucketAsync(new PutBucketRequest { BucketName = name, ObjectLockEnabledForBucket = objectLock });
        if (versioning)
            await client.PutBucketVersioningAsync(new PutBucketVersioningRequest { BucketName = name, VersioningConfig = new S3BucketVersioningConfig { Status = VersionStatus.Enabled } });
        return name;
    }

    /// <summary>Ends its processes and removes its data.</summary>
    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return Folder.DisposeAsync();
    }

    /// <summary>Starts it; whatever fails leaves nothing behind.</summary>
    private protected static async Task<T> StartedAsync<T>(T server, Func<T, Task> start)
        where T : StoreServer
    {
        try
        {
            await start(server);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }
}
