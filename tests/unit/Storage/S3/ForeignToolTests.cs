using System.Diagnostics;
using PgBackup.Storage;
using PgBackup.Storage.S3;
using PgBackup.TestServers;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Kit.Stores;

namespace PgBackup.Tests.Storage.S3;

/// <summary>Amazon's command line reads what we wrote, and we what it wrote.</summary>
public sealed class ForeignToolTests : IDisposable
{
    // Debian's, not another of the same name that may be on PATH.
    private const string Aws = "/usr/bin/aws";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task AwsListsAndGetsWhatWeWroteAndWeWhatItWrote()
    {
        StoreServer ceph = await TestStores.CephAsync();
        S3Settings settings = (await ceph.NewBucketAsync("repository")) with { PartSize = FaultyStore.PartSize };
        using var store = new S3Store(settings);
        foreach ((string key, int size) in ((string, int)[])[("small", 1234), ("large", (FaultyStore.PartSize * 3) + 1)])
        {
            byte[] content = StoreContent.Bytes(size);
            await store.PutAsync($"a folder/{key}", content);
            string listed = await RunAsync(ceph, "s3", "ls", "--recursive", $"s3://{settings.Bucket}/repository/");
            Assert.Contains($"{size} repository/a folder/{key}", listed, StringComparison.Ordinal);
            await RunAsync(ceph, "s3", "cp", "--no-progress", $"s3://{settings.Bucket}/repository/a folder/{key}", _folder.Combine(key));
            Assert.Equal(StoreContent.Digest(content), StoreContent.Digest(await File.ReadAllBytesAsync(_folder.Combine(key))));
            await RunAsync(ceph, "s3", "cp", "--no-progress", _folder.Combine(key), $"s3://{settings.Bucket}/repository/theirs/{key}");
            Assert.Equal(StoreContent.Digest(content), StoreContent.Digest(await store.ReadAsync($"theirs/{key}")));
        }
        Assert.Equal(["a folder/large", "a folder/small", "theirs/large", "theirs/small"], await store.KeysAsync());
    }

    private static async Task<string> RunAsync(StoreServer server, params string[] arguments)
    {
        ProcessStartInfo start = new(Aws, ["--endpoint-url", server.Endpoint.AbsoluteUri, .. arguments]);
        start.Environment["AWS_ACCESS_KEY_ID"] = server.AccessKey;
        start.Environment["AWS_SECRET_ACCESS_KEY"] = server.SecretKey;
        start.Environment["AWS_DEFAULT_REGION"] = "us-east-1";
        return (await ToolProcess.RunAsync(start)).EnsureSuccess().Output;
    }
}
