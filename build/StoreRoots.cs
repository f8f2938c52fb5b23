using System.Text.RegularExpressions;
using PgBackup.TestServers;

namespace PgBackup.Build;

/// <summary>
/// Puts the S3 servers of the tests into a cache folder of this machine, once: packages of Debian, unpacked and not installed, so that no service of theirs
/// ever starts, and one of npm.
/// </summary>
internal static partial class StoreRoots
{
    private static readonly string[] s_ceph = ["ceph-mon", "ceph-osd", "radosgw", "ceph-common", "python3"];
    private static readonly string[] s_swift = ["swift-proxy", "swift-account", "swift-container", "swift-object", "python3"];

    // The best first. Debian 12's is among the servers in any case.
    private static readonly string[] s_suitesOfCurrentCeph = ["sid", "trixie"];

    private static readonly Prerequisites.Need[] s_unpacker = [new("mmdebstrap", () => Run.Which("mmdebstrap") is not null)];

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
        await UnpackAsync(ServerCache.OldCeph, "bookworm", s_ceph);
        await UnpackAsync(ServerCache.Swift, "bookworm", s_swift);
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
                await UnpackAsync(root, suite, s_ceph);
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

    private static async Task UnpackAsync(string root, string suite, string[] packages)
    {
        if (Directory.Exists(root))
            return;
        await Prerequisites.EnsureAsync(s_unpacker);
        Console.WriteLine($"Unpacking {string.Join(", ", packages)} of Debian {suite} into {root}");
        string begun = $"{root}.begun";
        await Prerequisites.AsRootAsync("rm", "-rf", begun);
        List<string> arguments =
        [
            "--quiet", "--variant=extract",
            // A mirror may hold a suite's index of some time ago.
            "--aptopt=Acquire::Check-Valid-Until \"false\"",
            .. new[] { "doc", "man", "locale" }.Select(folder => $"--dpkgopt=path-exclude=/usr/share/{folder}/*"),
            $"--include={string.Join(',', packages)}", suite, begun,
        ];
        if (Mirror() is { } mirror)
            arguments.Add(mirror);
        await Prerequisites.AsRootAsync(["mmdebstrap", .. arguments]);
        await Prerequisites.AsRootAsync("mv", begun, root);
    }

    /// <summary>Where this machine itself takes Debian's packages from; null when it does not say.</summary>
    private static string? Mirror()
    {
        string[] folders = Directory.Exists("/etc/apt/sources.list.d") ? Directory.GetFiles("/etc/apt/sources.list.d") : [];
        return folders.Append("/etc/apt/sources.list").Where(File.Exists).SelectMany(File.ReadLines)
            .Select(line => SourceLine().Match(line)).FirstOrDefault(m => m.Success && !m.Groups[1].Value.Contains("security", StringComparison.Ordinal))?.Groups[1].Value;
    }

    // Either form: "URIs: http://…" and "deb [options] http://… suite".
    [GeneratedRegex(@"^(?:URIs:|deb\s+(?:\[[^]]*\])?)\s*(\S+/debian\S*)")]
    private static partial Regex SourceLine();
}
