using PgBackup.Storage;
using PgBackup.Storage.S3;
using PgBackup.TestServers;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Kit.Stores;

namespace PgBackup.Tests.Storage;

/// <summary>The contract on a folder.</summary>
public sealed class DirectoryStoreContractTests : ObjectStoreContract
{
    private readonly TempFolder _folder = new();

    public override Task DisposeAsync()
    {
        _folder.Dispose();
        return base.DisposeAsync();
    }

    protected override string Kind => "Directory";

    protected override Task<IObjectStore> OpenAsync() => Task.FromResult<IObjectStore>(new DirectoryStore(_folder.Combine("repository")));
}

/// <summary>The contract on an S3 server.</summary>
public abstract class S3StoreContract : ObjectStoreContract
{
    protected override string Kind => "S3";

    protected abstract Task<StoreServer> ServerAsync();

    protected virtual S3Settings Adapt(S3Settings settings, StoreServer server) => settings;

    protected override async Task<IObjectStore> OpenAsync()
    {
        StoreServer server = await ServerAsync();
        S3Settings settings = await server.NewBucketAsync("deep/pre fix+ü%");
        return ObjectStores.Open(Adapt(settings with { PartSize = PartSize }, server));
    }
}

/// <summary>The contract on the newest Ceph.</summary>
public sealed class CephStoreContractTests : S3StoreContract
{
    protected override Task<StoreServer> ServerAsync() => TestStores.CephAsync();
}

/// <summary>The contract on the newest Ceph over TLS, whose certificate is of an authority that the system does not know.</summary>
public sealed class TlsStoreContractTests : S3StoreContract
{
    protected override Task<StoreServer> ServerAsync() => TestStores.CephAsync();

    protected override S3Settings Adapt(S3Settings settings, StoreServer server) =>
        settings with { EndpointUrl = server.TlsEndpoint, CaCertificateFile = server.CaFile };
}

/// <summary>The contract on Ceph 16.2, which refuses the checksums that the SDK sends by itself.</summary>
public sealed class OldCephStoreContractTests : S3StoreContract
{
    protected override Task<StoreServer> ServerAsync() => TestStores.OldCephAsync();

    // It does not look at the condition at the end of a multipart upload.
    protected override bool IsConditionProven(int size) => size < PartSize;
}

/// <summary>The contract on Swift, which answers 501 to bodies in chunks.</summary>
public sealed class SwiftStoreContractTests : S3StoreContract
{
    protected override bool HasConditionalPut => false;

    protected override int Many => 60;

    protected override Task<StoreServer> ServerAsync() => TestStores.StartedAsync("swift");
}
