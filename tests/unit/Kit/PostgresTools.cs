using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.TestServers;

namespace PgBackup.Tests.Kit;

/// <summary>One installation of PostgreSQL: the folder with <c>initdb</c>, <c>postgres</c> and <c>pg_ctl</c>.</summary>
public sealed partial class PostgresTools
{
    private static readonly string[] s_clients = ["psql", "pgbench", "pg_basebackup", "pg_waldump"];
    private static readonly Lazy<IReadOnlyList<PostgresTools>> s_all = new(FindAll);

    private PostgresTools(string binFolder, Version version)
    {
        BinFolder = binFolder;
        Version = version;
    }

    /// <summary>The newest installation that has everything: server, client tools and contrib. That of the distribution's packages, usually; throws when there is none.</summary>
    public static PostgresTools Complete => s_all.Value.FirstOrDefault(t => s_clients.All(c => File.Exists(Path.Combine(t.BinFolder, c))))
        ?? throw new InvalidOperationException(
            $"No PostgreSQL with {string.Join(", ", s_clients)} was found on PATH or under /usr/lib/postgresql. Install the distribution's packages postgresql and postgresql-contrib.");

    /// <summary>Every major version that PgBackup supports; each has an installation, by <see cref="OfMajor"/>.</summary>
    public static IReadOnlyList<int> Majors { get; } = [13, 14, 15, 16, 17, 18];

    /// <summary>The folder of the programs.</summary>
    public string BinFolder { get; }

    /// <summary>The version that <c>postgres --version</c> prints.</summary>
    public Version Version { get; }

    /// <summary>The major version, for example 15.</summary>
    public int Major => Version.Major;

    /// <summary>
    /// The installation of one major version; throws when it is not there. Those that the distribution does not have are servers alone, except that 17 and 18 have
    /// <c>pg_dump</c>, <c>pg_dumpall</c>, <c>pg_restore</c> and <c>psql</c>.
    /// </summary>
    public static PostgresTools OfMajor(int major) => s_all.Value.FirstOrDefault(t => t.Major == major)
        ?? throw new InvalidOperationException(
            $"PostgreSQL {major} was not found on PATH, under /usr/lib/postgresql or under '{ServerCache.Folder}'. './build.sh Test' puts it there.");

    /// <summary>The full path of a program of this installation; throws when it is not there.</summary>
    public string Tool(string name)
    {
        return TryTool(name)
            ?? throw new InvalidOperationException($"PostgreSQL {Major} in '{BinFolder}' has no '{name}'. Install the package postgresql-{Major} or postgresql-contrib.");
    }

    /// <summary>The full path of a program of this installation; null when it is not there.</summary>
    public string? TryTool(string name)
    {
        string path = Path.Combine(BinFolder, name);
        if (!File.Exists(path) && ServerCache.ClientSuites.ContainsKey(Major))
            path = Path.Combine(ServerCache.Clients(Major), name);
        return File.Exists(path) ? path : null;
    }

    private static List<PostgresTools> FindAll()
    {
        string path = Environment.GetEnvironmentVariable("PATH") ?? "";
        IEnumerable<string> onPath = path.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        string[] cached = [.. ServerCache.PostgresPackages.Keys.Select(major => Path.Combine(ServerCache.Postgres(major), "bin")).Where(Directory.Exists)];
        IEnumerable<string> packaged = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").Select(d => Path.Combine(d, "bin"))
            : [];
        List<PostgresTools> found = [];
        foreach (string folder in onPath.Concat(packaged).Concat(cached))
        {
            // PATH may hold links to single programs; the folder that they point to has the others as well.
            FileInfo initdb = new(Path.Combine(folder, "initdb"));
            string? real = initdb.Exists ? Path.GetDirectoryName(initdb.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? initdb.FullName) : null;
            if (real is null || !File.Exists(Path.Combine(real, "postgres")) || found.Exists(t => t.BinFolder == real))
                continue;
            found.Add(new PostgresTools(real, ReadVersion(Path.Combine(real, "postgres"))));
        }
        // What starts a restored server looks on PATH for the programs of its version, and so does what dumps.
        IEnumerable<string> clients = ServerCache.ClientSuites.Keys.Select(ServerCache.Clients).Where(Directory.Exists);
        Environment.SetEnvironmentVariable("PATH", string.Join(Path.PathSeparator, cached.Concat(clients).Prepend(path)));
        found.Sort((a, b) => b.Version.CompareTo(a.Version));
        return found;
    }

    private static Version ReadVersion(string postgres)
    {
        ToolResult result = ToolProcess.RunAsync(new ProcessStartInfo(postgres, "--version")).GetAwaiter().GetResult().EnsureSuccess();
        Match match = VersionPattern().Match(result.Output);
        return match.Success
            ? new Version(int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture), match.Groups[2].Success ? int.Parse(match.Groups[2].ValueSpan, CultureInfo.InvariantCulture) : 0)
            : throw new InvalidOperationException($"'{postgres} --version' printed '{result.Output.Trim()}', which holds no version.");
    }

    [GeneratedRegex(@"\(PostgreSQL\) ([0-9]+)(?:\.([0-9]+))?", RegexOptions.CultureInvariant)]
    private static partial Regex VersionPattern();
}
