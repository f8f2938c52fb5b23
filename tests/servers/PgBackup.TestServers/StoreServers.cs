namespace PgBackup.TestServers;

/// <summary>The kinds of servers.</summary>
public static class StoreServers
{
    /// <summary>What the command line calls them.</summary>
    public static readonly IReadOnlyList<string> Kinds = ["ceph-current", "ceph-16", "swift", "s3rver"];

    /// <summary>Starts one of a kind.</summary>
    public static async Task<StoreServer> StartAsync(string kind, int memoryGigabytes = 8) => kind switch
    {
        "ceph-current" => await CephServer.StartAsync(CephInstallation.Current, new CephOptions { MemoryGigabytes = memoryGigabytes }),
        "ceph-16" => await CephServer.StartAsync(CephInstallation.Old, new CephOptions { MemoryGigabytes = memoryGigabytes }),
        "swift" => await SwiftServer.StartAsync(),
        "s3rver" => await S3rverServer.StartAsync(),
        _ => throw new ArgumentException($"There is no server '{kind}'.", nameof(kind)),
    };
}
