using PgBackup.TestServers;

namespace PgBackup.Build;

/// <summary>
/// Puts the S3 servers of the tests into a cache folder of this machine, once: packages of Debian, unpacked and not installed, so that no service of theirs
/// ever starts, and one of npm.
/// </summary>
internal static class StoreRoots
{
    private static readonly string[] s_ceph = ["ceph-mon", "ceph-osd", "radosgw", "ceph-common", "python3"];
    private static readonly string[] s_swift = ["swift-proxy", "swift-account", "swift-container", "swift-object", "python3"];

    // The best first. Debian 12's is among the servers in any case.
    private static readonly string[] s_suitesOfCurrentCeph = ["sid", "trixie"];

    private static readonly Prerequisites.Need[] s_clients =
    [
        new("awscli", () => File.Exists("/usr/bin/aws")),
        new("nodejs", () => Run.Which("node") is not null),
        new("npm", () => Run.Which("npm") is not null),
    ];

    /// <summary>Puts there what is not.</summary>
    public static async Task EnsureAsync()
    {
        await Prerequisites.EnsureAsync(s_clients);
        await Prerequisites.AsRootAsync("mkdir", "-p", ServerCache.Folder);
        await DebianRoots.UnpackAsync(ServerCache.OldCeph, "bookworm", s_ceph);
        await DebianRoots.UnpackAsync(ServerCache.Swift, "bookworm", s_swift);
        if (!Directory.Exists(ServerCache.CurrentCeph))
            await Prerequisites.AsRootAsync("ln", "-sfn", await CurrentCephAsync(), ServerCache.CurrentCeph);
        if (!File.Exists(ServerCache.S3rver))
            await Prerequisites.AsRootAsync("npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", ServerCache.S3rverFolder, $"s3rver@{ServerCache.S3rverVersion}");
    }

    private static async Task<string> CurrentCephAsync()
    {
        foreach (string suite in s_suitesOfCurrentCeph)
        {
            string root = Path.Combine(ServerCache.Folder, $"ceph-{suite}");
            try
            {
                await DebianRoots.UnpackAsync(root, suite, s_ceph);
                return root;
            }
            catch (BuildException error)
            {
                Console.WriteLine($"Ceph of Debian {suite} cannot be had here: {error.Message}");
            }
        }
        Console.WriteLine($"""
            ======================================================================================
            There is no current Ceph for this machine. Ceph 16.2 stands in for it as the main
            store of the tests until '{ServerCache.CurrentCeph}' is removed.
            ======================================================================================
            """);
        return ServerCache.OldCeph;
    }
}
