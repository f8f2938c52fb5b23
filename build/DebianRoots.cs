using System.Text.RegularExpressions;

namespace PgBackup.Build;

/// <summary>Unpacks packages of other releases of Debian into folders, without installing them.</summary>
internal static partial class DebianRoots
{
    private static readonly Prerequisites.Need[] s_unpacker = [new("mmdebstrap", () => Run.Which("mmdebstrap") is not null)];

    /// <summary>Unpacks packages of a release, with all that they need, unless the folder is there.</summary>
    public static async Task UnpackAsync(string root, string suite, string[] packages)
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
