using System.Diagnostics;
using Amazon.S3;
using Amazon.S3.Model;
using PgBackup.TestServers;
using PgBackup.TestServers.Proxy;

namespace PgBackup.Tests.Kit.Stores;

/// <summary>The servers and the proxy do what the tests of the store rely on.</summary>
public sealed class StoreServerTests
{
    [Fact]
    public async Task ThroughTheProxyTheServerIsTheSameServer()
    {
        StoreServer ceph = await TestStores.CephAsync();
        string bucket = await ceph.CreateBucketAsync();
        await using var proxy = FaultProxy.Start(ceph.Endpoint);
        using AmazonS3Client client = Through(proxy);
        byte[] sent = new byte[3 << 20];
        Random.Shared.NextBytes(sent);
        string key = "a folder/with + and % and ü & ~.bin";
        await client.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = key, InputStream = new MemoryStream(sent) });
        using GetObjectResponse got = await client.GetObjectAsync(bucket, key);
        Assert.Equal(sent, await BytesAsync(got));
        Assert.Equal([key], (await client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket })).S3Objects.Select(o => o.Key));
        Assert.Equal([S3Operation.PutObject, S3Operation.GetObject, S3Operation.ListObjects], proxy.Requests.Select(r => r.Operation));
        Assert.All(proxy.Requests, r => Assert.Equal(200, r.Status));
    }

    [Fact]
    public async Task FaultsBefallTheRequestsThatTheyAreMeantFor()
    {
        StoreServer ceph = await TestStores.CephAsync();
        string bucket = await ceph.CreateBucketAsync();
        await using var proxy = FaultProxy.Start(ceph.Endpoint);
        using AmazonS3Client client = Through(proxy);
        await client.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = "old", ContentBody = "0123456789" });

        FaultRule slow = proxy.Add(S3Operation.GetObject, Fault.SlowDown, skip: 1, times: 1);
        (await client.GetObjectAsync(bucket, "old")).Dispose();
        Assert.Equal("SlowDown", (await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => client.GetObjectAsync(bucket, "old"))).ErrorCode);
        (await client.GetObjectAsync(bucket, "old")).Dispose();
        Assert.Equal(1, slow.Fired);

        proxy.Add(S3Operation.GetObject, new Fault.TruncateAnswer(4));
        using (GetObjectResponse cut = await client.GetObjectAsync(bucket, "old"))
            await Assert.ThrowsAnyAsync<IOException>(() => BytesAsync(cut));
        proxy.Clear();

        proxy.Add(S3Operation.GetObject, new Fault.DamageAnswer(4));
        using (GetObjectResponse damaged = await client.GetObjectAsync(new GetObjectRequest { BucketName = bucket, Key = "old", ByteRange = new ByteRange(0, 8) }))
            Assert.Equal("012355678"u8.ToArray(), await BytesAsync(damaged));
        proxy.Clear();

        proxy.Add(S3Operation.PutObject, new Fault.LoseAnswer());
        await Assert.ThrowsAnyAsync<Exception>(() => client.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = "lost", ContentBody = "x" }));
        proxy.Clear();
        (await client.GetObjectAsync(bucket, "lost")).Dispose();

        proxy.Add(S3Operation.PutObject, new Fault.ResetRequest(1 << 20));
        await Assert.ThrowsAnyAsync<Exception>(() => client.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = "reset", InputStream = new MemoryStream(new byte[2 << 20]) }));
        proxy.Clear();

        proxy.Add(S3Operation.ListObjects, new Fault.Lag(TimeSpan.FromHours(1)));
        proxy.Add(S3Operation.PutObject, new Fault.WrongETag());
        PutObjectResponse put = await client.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = "new", ContentBody = "x" });
        Assert.NotEqual("\"9dd4e461268c8034f5c8564e155c67a6\"", put.ETag);
        Assert.Null((await client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket })).S3Objects);
        proxy.Clear();
        Assert.Equal(["lost", "new", "old"], (await client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket })).S3Objects.Select(o => o.Key));

        await proxy.RefuseAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => client.GetObjectAsync(bucket, "old"));
        proxy.Accept();
        (await client.GetObjectAsync(bucket, "old")).Dispose();
    }

    [Fact]
    public async Task AServerDiesWithTheProcessThatStartedIt()
    {
        ProcessStartInfo start = new(Environment.ProcessPath!, [typeof(StoreServer).Assembly.Location, "run", "ceph-16", "--bucket", "bucket"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        using var where = System.Text.Json.JsonDocument.Parse((await process.StandardOutput.ReadLineAsync())!);
        string folder = Path.GetDirectoryName(where.RootElement.GetProperty("caFile").GetString()!)!;
        Assert.NotEmpty(Servers(folder));
        process.Kill();
        await process.WaitForExitAsync();
        for (var clock = Stopwatch.StartNew(); Servers(folder).Length > 0 || Directory.Exists(folder); await Task.Delay(20))
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(10), "The servers outlived the process that started them.");
    }

    private static AmazonS3Client Through(FaultProxy proxy) => new("test", "testsecret", new AmazonS3Config
    {
        ServiceURL = proxy.Endpoint.AbsoluteUri,
        ForcePathStyle = true,
        AuthenticationRegion = "us-east-1",
        MaxErrorRetry = 0,
    });

    private static async Task<byte[]> BytesAsync(GetObjectResponse response)
    {
        using MemoryStream all = new();
        await response.ResponseStream.CopyToAsync(all);
        return all.ToArray();
    }

    private static string[] Servers(string folder) => [.. Directory.GetDirectories("/proc")
        .Where(entry => int.TryParse(Path.GetFileName(entry), out _))
        .Select(CommandLine).Where(line => line.Contains(folder, StringComparison.Ordinal) && !line.Contains("pgbackup-server-guard", StringComparison.Ordinal))];

    private static string CommandLine(string entry)
    {
        try
        {
            return File.ReadAllText(Path.Combine(entry, "cmdline"));
        }
        catch (IOException)
        {
            return ""; // It has ended.
        }
    }
}
