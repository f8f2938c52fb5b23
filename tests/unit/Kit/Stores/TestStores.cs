using System.Collections.Concurrent;
using PgBackup.Storage.S3;
using PgBackup.TestServers;

namespace PgBackup.Tests.Kit.Stores;

/// <summary>The real S3 servers of this test run: each is started when the first test asks for it, shared by all, and gone with this process.</summary>
public static class TestStores
{
    private static readonly ConcurrentDictionary<string, Lazy<Task<StoreServer>>> s_servers = new(StringComparer.Ordinal);

    /// <summary>The main one: the newest Ceph that this machine could get, over HTTP and HTTPS.</summary>
    public static Task<StoreServer> CephAsync() => StartedAsync("ceph-current");

    /// <summary>Ceph 16.2, which refuses the checksums that the SDK sends by itself.</summary>
    public static Task<StoreServer> OldCephAsync() => StartedAsync("ceph-16");

    /// <summary>A server by the name that its command line has for it.</summary>
    public static Task<StoreServer> StartedAsync(string kind) =>
        s_servers.GetOrAdd(kind, _ => new Lazy<Task<StoreServer>>(() => StoreServers.StartAsync(kind))).Value;

    /// <summary>Settings for a bucket of a server.</summary>
    public static S3Settings Settings(this StoreServer server, string bucket, string prefix = "", Uri? endpoint = null) => new()
    {
        Bucket = bucket,
        Prefix = prefix,
        EndpointUrl = endpoint ?? server.Endpoint,
        Region = "us-east-1",
        Credential = new S3Credential(server.AccessKey, new SecretText(server.SecretKey)),
    };

    /// <summary>Settings for a fresh bucket of a server.</summary>
    public static async Task<S3Settings> NewBucketAsync(this StoreServer server, string prefix = "") => server.Settings(await server.CreateBucketAsync(), prefix);
}
