using PgBackup.Errors;
using PgBackup.Storage;
using PgBackup.Storage.S3;
using PgBackup.TestServers;
using PgBackup.Tests.Kit.Stores;

namespace PgBackup.Tests.Storage.S3;

/// <summary>On a store that says 200 and may keep something else, nothing is ever reported as done that is not there.</summary>
public sealed class LyingStoreTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100_000)]
    [InlineData(FaultyStore.PartSize)]
    [InlineData(FaultyStore.PartSize + 1)]
    [InlineData(FaultyStore.PartSize * 3)]
    public async Task WhatIsReportedAsDoneIsThereByteForByte(int size)
    {
        StoreServer server = await TestStores.StartedAsync("s3rver");
        S3Settings settings = (await server.NewBucketAsync("repository")) with { PartSize = FaultyStore.PartSize, MaxRetries = 2 };
        using var store = new S3Store(settings);
        byte[] content = StoreContent.Bytes(size);
        foreach (Func<Task> put in (Func<Task>[])[() => store.PutAsync("object", content), () => store.PutAsync("object", content, PutCondition.IfAbsent), () => store.CopyAsync("object", "object")])
        {
            try
            {
                await put();
            }
            catch (PgBackupException)
            {
                continue;
            }
            Assert.Equal(StoreContent.Digest(content), StoreContent.Digest(await StoredAsync(server, settings.Bucket)));
            Assert.Equal(size, (await store.StatAsync("object"))!.Value.Size);
        }
    }

    // Not by our client, nor by Amazon's: the store asks for no signature.
    private static async Task<byte[]> StoredAsync(StoreServer server, string bucket)
    {
        using HttpClient client = new(new SocketsHttpHandler { UseProxy = false });
        return await client.GetByteArrayAsync(new Uri(server.Endpoint, $"{bucket}/repository/object"));
    }
}
