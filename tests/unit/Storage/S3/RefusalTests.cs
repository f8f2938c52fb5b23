using System.Net;
using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.Storage;
using PgBackup.Storage.S3;
using PgBackup.TestServers;
using PgBackup.TestServers.Proxy;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Kit.Stores;
using S3Operation = PgBackup.TestServers.Proxy.S3Operation;

namespace PgBackup.Tests.Storage.S3;

/// <summary>What a store refuses is told as what it is.</summary>
public sealed class RefusalTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("ceph-current")]
    [InlineData("ceph-16")]
    public async Task AWrongKeyAndAWrongSecretAndAMissingBucketAreThreeErrors(string kind)
    {
        StoreServer server = await TestStores.StartedAsync(kind);
        S3Settings right = await server.NewBucketAsync();
        foreach ((S3Settings wrong, string expected) in ((S3Settings, string)[])
        [
            (right with { Credential = new S3Credential("nobody", new SecretText("testsecret")) }, "StorageAccessKeyUnknown"),
            (right with { Credential = new S3Credential("test", new SecretText("wrong")) }, "StorageSecretWrong"),
            (right with { Bucket = "no-such-bucket" }, "RepositoryNotFound"),
            (right with { EndpointUrl = new Uri("http://127.0.0.1:9") , MaxRetries = 1 }, "StorageUnreachable"),
            (right with { EndpointUrl = new Uri("http://no-such-host.invalid") , MaxRetries = 1 }, "StorageUnreachable"),
        ])
        {
            using var store = new S3Store(wrong);
            foreach (Func<Task> use in (Func<Task>[])
                [() => store.PutAsync("a", "x"u8.ToArray()), () => store.KeysAsync(), () => store.StatAsync("a"), () => store.OpenReadAsync("a"), () => store.DeleteAsync(["a", "b"]), () => store.UnfinishedAsync(), () => store.DescribeAsync()])
                Assert.Equal(expected, await FaultyStore.FailureAsync(use));
        }
    }

    [Fact]
    public async Task WithoutTheRightToDeleteNothingIsDeletedAndThatIsSaid()
    {
        StoreServer ceph = await TestStores.CephAsync();
        S3Settings owner = await ceph.NewBucketAsync("repository");
        using (AmazonS3Client client = ceph.Client())
        {
            await client.PutBucketPolicyAsync(new PutBucketPolicyRequest
            {
                BucketName = owner.Bucket,
                Policy = $$"""
                    {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["{{CephServer.GuestPrincipal}}"]},
                    "Action":["s3:GetObject","s3:PutObject","s3:ListBucket","s3:ListBucketMultipartUploads"],"Resource":["arn:aws:s3:::{{owner.Bucket}}","arn:aws:s3:::{{owner.Bucket}}/*"]}]}
                    """,
            });
        }
        using var store = new S3Store(owner with { Credential = new S3Credential(CephServer.GuestAccessKey, new SecretText(CephServer.GuestSecretKey)) });
        foreach (string key in (string[])["a", "b", "c"])
            await store.PutAsync(key, "x"u8.ToArray());
        Assert.Equal("StorageAccessDenied", await FaultyStore.FailureAsync(() => store.DeleteAsync(["a"])));
        Assert.Equal("StorageAccessDenied", await FaultyStore.FailureAsync(() => store.DeleteAsync(["a", "b", "missing"])));
        Assert.Equal(["a", "b", "c"], await store.KeysAsync());
        Assert.Equal("x"u8.ToArray(), await store.ReadAsync("a"));
    }

    [Fact]
    public async Task AnAccountWithoutRightsIsDenied()
    {
        StoreServer ceph = await TestStores.CephAsync();
        S3Settings settings = await ceph.NewBucketAsync();
        using var store = new S3Store(settings with { Credential = new S3Credential(CephServer.GuestAccessKey, new SecretText(CephServer.GuestSecretKey)) });
        foreach (Func<Task> use in (Func<Task>[])
            [() => store.PutAsync("a", "x"u8.ToArray()), () => store.PutAsync("a", new byte[30 << 20]), () => store.KeysAsync(), () => store.StatAsync("a"), () => store.OpenReadAsync("a"), () => store.DeleteAsync(["a", "b"]), () => store.UnfinishedAsync()])
            Assert.Equal("StorageAccessDenied", await FaultyStore.FailureAsync(use));
    }

    [Fact]
    public async Task WhatALockHoldsIsSaidToBeLocked()
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync();
        await faulty.Store.PutAsync("a", "x"u8.ToArray());
        faulty.Proxy.Add(
            S3Operation.DeleteObject,
            new Fault.Answer(HttpStatusCode.Forbidden, "AccessDenied") { Message = "Access Denied because object protected by object lock." });
        Assert.Equal("ObjectLocked", await FaultyStore.FailureAsync(() => faulty.Store.DeleteAsync(["a"])));
        Assert.NotNull(await faulty.Direct.StatAsync("a"));
    }

    [Theory]
    [InlineData(HttpStatusCode.MovedPermanently, "PermanentRedirect")]
    [InlineData(HttpStatusCode.BadRequest, "AuthorizationHeaderMalformed")]
    public async Task ABucketOfAnotherRegionNamesIt(HttpStatusCode status, string code)
    {
        await using FaultyStore faulty = await FaultyStore.OpenAsync();
        faulty.Proxy.Add(_ => true, new Fault.Answer(status, code)
        {
            Message = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'",
            Headers = new Dictionary<string, string> { ["x-amz-bucket-region"] = "eu-central-1" },
        });
        Errors.PgBackupException error = await Assert.ThrowsAsync<Errors.PgBackupException>(() => faulty.Store.PutAsync("a", "x"u8.ToArray()));
        Assert.Equal("StorageRegionWrong", error.Id);
        Assert.Contains("eu-central-1", error.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AProfileIsReadAndAMissingOneIsAnError()
    {
        StoreServer ceph = await TestStores.CephAsync();
        S3Settings settings = (await ceph.NewBucketAsync()) with { Credential = null, CredentialsFile = _folder.Combine("credentials") };
        await File.WriteAllTextAsync(settings.CredentialsFile!, "[backup]\naws_access_key_id = test\naws_secret_access_key = testsecret\n[broken]\naws_access_key_id = test\n");
        using (var store = new S3Store(settings with { ProfileName = "backup" }))
        {
            await store.PutAsync("a", "x"u8.ToArray());
            Assert.Equal(["a"], await store.KeysAsync());
        }
        using (var store = new S3Store(settings with { ProfileName = "absent" }))
            Assert.Equal("ProfileNotFound", await FaultyStore.FailureAsync(() => store.KeysAsync()));
        using (var store = new S3Store(settings with { ProfileName = "broken" }))
            Assert.Equal("ProfileUnusable", await FaultyStore.FailureAsync(() => store.KeysAsync()));
        await File.WriteAllTextAsync(settings.CredentialsFile!, "no such file\n");
        Assert.Equal("ProfileUnusable", await FaultyStore.FailureAsync(async () =>
        {
            using var store = new S3Store(settings with { ProfileName = "backup" });
            await store.KeysAsync();
        }));
    }

    [Fact]
    public async Task ACertificateIsTrustedByTheFileThatIsNamedAndNoOther()
    {
        StoreServer ceph = await TestStores.CephAsync();
        StoreServer other = await TestStores.OldCephAsync();
        S3Settings settings = (await ceph.NewBucketAsync()) with { EndpointUrl = ceph.TlsEndpoint };
        using (var store = new S3Store(settings with { CaCertificateFile = ceph.CaFile }))
            await store.PutAsync("a", "x"u8.ToArray());
        foreach (string? file in (string?[])[null, other.CaFile])
        {
            using var store = new S3Store(settings with { CaCertificateFile = file });
            Assert.Equal("StorageCertificateRefused", await FaultyStore.FailureAsync(() => store.KeysAsync()));
        }
        await File.WriteAllTextAsync(_folder.Combine("empty.pem"), "no certificate\n");
        foreach (string file in (string[])[_folder.Combine("absent.pem"), _folder.Combine("empty.pem")])
        {
            Assert.Equal("CaCertificateFileUnusable", await FaultyStore.FailureAsync(async () =>
            {
                using var store = new S3Store(settings with { CaCertificateFile = file });
                await store.KeysAsync();
            }));
        }
        using (var store = new S3Store(settings with { EndpointUrl = new Uri($"https://127.0.0.1:{ceph.Endpoint.Port}"), MaxRetries = 1 }))
            Assert.Contains(await FaultyStore.FailureAsync(() => store.KeysAsync()), (string[])["StorageCertificateRefused", "StorageUnreachable"]);
    }
}
