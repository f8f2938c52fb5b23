using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Storage;
using PgBackup.Storage.S3;
using PgBackup.TestServers;
using PgBackup.TestServers.Proxy;
using PgBackup.Tests.Kit.Stores;
using S3Operation = PgBackup.TestServers.Proxy.S3Operation;

namespace PgBackup.Tests.Storage.S3;

/// <summary>What the settings ask of the store is what the store has, for one put, many parts and a copy.</summary>
public sealed class StoreOptionTests
{
    private static readonly int[] s_sizes = [1000, FaultyStore.PartSize + 1000];

    [Fact]
    public Task TheStorageClassIsKept() => ProveAsync(
        s => s with { StorageClass = "STANDARD_IA" },
        found => Assert.Equal("STANDARD_IA", found.StorageClass?.Value));

    [Fact]
    public Task TheStoreEncryptsWithAKeyOfItsKeyService() => ProveAsync(
        s => s with { ServerSideEncryption = S3ServerSideEncryption.Kms, KmsKeyId = CephServer.KmsKey },
        found =>
        {
            Assert.Equal(ServerSideEncryptionMethod.AWSKMS, found.ServerSideEncryptionMethod);
            Assert.Equal(CephServer.KmsKey, found.ServerSideEncryptionKeyManagementServiceKeyId);
        });

    [Theory]
    [InlineData("ceph-current")]
    [InlineData("ceph-16")]
    public async Task AKeyThatTheKeyServiceDoesNotKnowIsAnErrorOfItsOwn(string kind)
    {
        StoreServer ceph = await TestStores.StartedAsync(kind);
        using var store = new S3Store((await ceph.NewBucketAsync()) with { ServerSideEncryption = S3ServerSideEncryption.Kms, KmsKeyId = "absent" });
        Assert.Equal("StorageKeyServiceFailed", await FaultyStore.FailureAsync(() => store.PutAsync("a", "x"u8.ToArray())));
    }

    [Fact]
    public async Task TheStoreEncryptsWithTheCustomersKeyAndCannotReadWithoutIt()
    {
        StoreServer ceph = await TestStores.CephAsync();
        S3Settings plain = (await ceph.NewBucketAsync()) with { EndpointUrl = ceph.TlsEndpoint, CaCertificateFile = ceph.CaFile, PartSize = FaultyStore.PartSize };
        S3Settings settings = plain with { ServerSideEncryption = S3ServerSideEncryption.CustomerKey, CustomerKey = new SecretText(Convert.ToBase64String(StoreContent.Bytes(32))) };
        using var store = new S3Store(settings);
        using var without = new S3Store(plain);
        using var other = new S3Store(settings with { CustomerKey = new SecretText(Convert.ToBase64String(StoreContent.Bytes(32, seed: 2))) });
        foreach (int size in s_sizes)
        {
            byte[] content = StoreContent.Bytes(size);
            await store.PutAsync("a", content);
            await store.CopyAsync("a", "b");
            Assert.Equal(content, await store.ReadAsync("b"));
            Assert.Equal(size, (await store.StatAsync("b"))!.Value.Size);
            await Assert.ThrowsAsync<Errors.PgBackupException>(() => without.ReadAsync("a"));
            await Assert.ThrowsAsync<Errors.PgBackupException>(() => other.ReadAsync("a"));
        }
        Assert.Equal("StorageNeedsTls", Assert.Throws<Errors.PgBackupException>(() => new S3Store(settings with { EndpointUrl = new Uri("http://store.example") })).Id);
    }

    [Theory]
    [InlineData(S3RetentionMode.Governance)]
    [InlineData(S3RetentionMode.Compliance)]
    public async Task ARetentionHoldsWhatWasUploaded(S3RetentionMode mode)
    {
        StoreServer ceph = await TestStores.CephAsync();
        string bucket = await ceph.CreateBucketAsync(objectLock: true);
        using var store = new S3Store(ceph.Settings(bucket, "repository") with { RetentionPeriod = TimeSpan.FromDays(2), RetentionMode = mode, PartSize = FaultyStore.PartSize });
        using AmazonS3Client client = ceph.Client();
        foreach (int size in s_sizes)
        {
            byte[] content = StoreContent.Bytes(size);
            await store.PutAsync("a", content);
            await store.CopyAsync("a", "b");
            foreach (string name in (string[])["repository/a", "repository/b"])
            {
                GetObjectMetadataResponse found = await client.GetObjectMetadataAsync(bucket, name);
                Assert.Equal(mode == S3RetentionMode.Compliance ? ObjectLockMode.Compliance : ObjectLockMode.Governance, found.ObjectLockMode);
                Assert.InRange(found.ObjectLockRetainUntilDate!.Value.ToUniversalTime(), DateTime.UtcNow.AddHours(47), DateTime.UtcNow.AddHours(49));
                await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => client.DeleteObjectAsync(bucket, name, found.VersionId));
            }
            Assert.Equal(content, await store.ReadAsync("a"));
        }
        StoreDescription description = await store.DescribeAsync();
        Assert.True(description.HasObjectLock);
        Assert.Equal(StoreVersioning.Enabled, description.Versioning);
    }

    [Fact]
    public async Task WithoutItsLockABucketTakesNoRetention()
    {
        StoreServer ceph = await TestStores.CephAsync();
        using var store = new S3Store((await ceph.NewBucketAsync()) with { RetentionPeriod = TimeSpan.FromDays(2) });
        Assert.Equal("ObjectLockRefused", await FaultyStore.FailureAsync(() => store.PutAsync("a", "x"u8.ToArray())));
        StoreDescription description = await store.DescribeAsync();
        Assert.False(description.HasObjectLock);
        Assert.Equal(StoreVersioning.Off, description.Versioning);
    }

    [Fact]
    public async Task AllRequestsGoThroughTheHttpProxyThatIsNamed()
    {
        StoreServer ceph = await TestStores.CephAsync();
        await using var proxy = FaultProxy.Start(ceph.Endpoint);
        using var store = new S3Store((await ceph.NewBucketAsync()) with { ProxyUrl = proxy.Endpoint });
        await store.PutAsync("a", "x"u8.ToArray());
        Assert.Equal("x"u8.ToArray(), await store.ReadAsync("a"));
        Assert.Equal(1, proxy.Count(S3Operation.PutObject));
        Assert.Equal(1, proxy.Count(S3Operation.GetObject));
    }

    [Fact]
    public async Task ABucketInTheHostNameIsAskedThere()
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync(s => s with { ForcePathStyle = false, EndpointUrl = new Uri($"http://localhost:{s.EndpointUrl!.Port}"), MaxRetries = 0 });
        // The server here does not know its own name: that it is asked in this way is what counts.
        await Assert.ThrowsAsync<Errors.PgBackupException>(() => faulty.Store.StatAsync("a"));
        Assert.All(faulty.Proxy.Requests, r => Assert.StartsWith($"{faulty.Settings.Bucket}.localhost", r.Header("Host"), StringComparison.Ordinal));
    }

    private static async Task ProveAsync(Func<S3Settings, S3Settings> adapt, Action<GetObjectMetadataResponse> prove)
    {
        StoreServer ceph = await TestStores.CephAsync();
        S3Settings settings = adapt((await ceph.NewBucketAsync("repository")) with { PartSize = FaultyStore.PartSize });
        using var store = new S3Store(settings);
        using AmazonS3Client client = ceph.Client();
        foreach (int size in s_sizes)
        {
            byte[] content = StoreContent.Bytes(size);
            await store.PutAsync("a", content);
            await store.CopyAsync("a", "b");
            Assert.Equal(content, await store.ReadAsync("b"));
            foreach (string name in (string[])["repository/a", "repository/b"])
                prove(await client.GetObjectMetadataAsync(settings.Bucket, name));
        }
    }
}
