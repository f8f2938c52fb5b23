using PgBackup.Errors;
using PgBackup.Storage;
using PgBackup.Storage.S3;
using PgBackup.TestServers;
using PgBackup.TestServers.Proxy;
using PgBackup.Tests.Kit.Stores;

namespace PgBackup.Tests.Storage.S3;

/// <summary>A fresh bucket of the main server, seen through a proxy that makes faults, and past it.</summary>
internal sealed class FaultyStore : IAsyncDisposable
{
    /// <summary>The smallest part that S3 allows.</summary>
    public const int PartSize = 5 << 20;

    private readonly S3Store _direct;

    private FaultyStore(FaultProxy proxy, S3Settings settings, S3Settings direct)
    {
        Proxy = proxy;
        Settings = settings;
        Store = new S3Store(settings);
        _direct = new S3Store(direct);
    }

    public FaultProxy Proxy { get; }

    public S3Settings Settings { get; }

    /// <summary>The store behind the proxy, with little patience.</summary>
    public S3Store Store { get; }

    /// <summary>The same without the proxy.</summary>
    public IObjectStore Direct => _direct;

    public static async Task<FaultyStore> OpenAsync(Func<S3Settings, S3Settings>? adapt = null)
    {
        StoreServer server = await TestStores.CephAsync();
        var proxy = FaultProxy.Start(server.Endpoint);
        S3Settings direct = (await server.NewBucketAsync("repository")) with { PartSize = PartSize };
        S3Settings settings = direct with
        {
            EndpointUrl = proxy.Endpoint,
            MaxRetries = 6,
            IdleTimeout = TimeSpan.FromSeconds(2),
            ConnectTimeout = TimeSpan.FromSeconds(2),
            RequestDeadline = TimeSpan.FromSeconds(30),
        };
        return new FaultyStore(proxy, adapt is null ? settings : adapt(settings), direct);
    }

    /// <summary>What an operation fails with.</summary>
    public static async Task<string> FailureAsync(Func<Task> use) => (await Assert.ThrowsAsync<PgBackupException>(use)).Id;

    /// <summary>Proves that the object is there, byte for byte, and nothing else is.</summary>
    public async Task AssertHoldsOnlyAsync(string key, byte[] content)
    {
        Assert.Equal([key], await Direct.KeysAsync());
        Assert.Equal(StoreContent.Digest(content), StoreContent.Digest(await Direct.ReadAsync(key)));
    }

    /// <summary>Proves that nothing is there, and that what may be left in flight is seen and can be removed.</summary>
    public async Task AssertHoldsNothingAsync()
    {
        Assert.Empty(await Direct.KeysAsync());
        Assert.Equal((await Direct.UnfinishedAsync("folder/")).Count, await Direct.RemoveUnfinishedAsync("folder/"));
        Assert.Empty(await Direct.UnfinishedAsync());
    }

    public async ValueTask DisposeAsync()
    {
        Store.Dispose();
        _direct.Dispose();
        await Proxy.DisposeAsync();
    }
}
