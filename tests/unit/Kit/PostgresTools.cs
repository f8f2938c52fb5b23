using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace PgBackup.Tests.Kit;

/// <summary>One installation of PostgreSQL: the folder with <c>initdb</c>, <c>postgres</c> and <c>pg_ctl</c>.</summary>
public sealed partial class PostgresTools
{
    private static readonly Lazy<IReadOnlyList<PostgresTools>> s_all = new(FindAll);

    private PostgresTools(string binFolder, Version version)
    {
        BinFolder = binFolder;
        Version = version;
    }

    /// <summary>Every installation on PATH and under <c>/usr/lib/postgresql</c>, newest first.</summary>
    public static IReadOnlyList<PostgresTools> All => s_all.Value;

    /// <summary>The newest installation; throws when there is none.</summary>
    public static PostgresTools Newest => All.Count > 0
        ? All[0]
        : throw new InvalidOperationException(
            "No PostgreSQL server was found on PATH or under /usr/lib/postgresql. Install the distribution's packages postgresql and postgresql-contrib.");

    /// <summary>The folder of the programs.</summary>
    public string BinFolder { get; }

    /// <summary>The version that <c>postgres --version</c> prints.</summary>
    public Version Version { get; }

    /// <summary>The major version, for example 15.</summary>
    public int Major => Version.Major;

    /// <summary>The installation of one major version; throws when it is not there.</summary>
    public static PostgresTools OfMajor(int major) => All.FirstOrDefault(t => t.Major == major)
        ?? throw new InvalidOperationException($"PostgreSQL {major} was not found on PATH or under /usr/lib/postgresql. Install the package postgresql-{major}.");

    /// <summary>The full path of a program of this installation; throws when it is not there.</summary>
    public string Tool(string name)
    {
        string path = Path.Combine(BinFolder, name);
        return File.Exists(path)
            ? path
            : throw new InvalidOperationException($"PostgreSQL {Major} in '{BinFolder}' has no '{name}'. Install the package postgresql-{Major} or postgresql-contrib.");
    }

    private static List<PostgresTools> FindAll()
    {
        IEnumerable<string> onPath = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        IEnumerable<string> packaged = Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").Select(d => Path.Combine(d, "bin"))
            : [];
        List<PostgresTools> found = [];
        foreach (string folder in onPath.Concat(packaged))
        {
            // PATH may hold links to single programs; the folder that they point to has the others as well.
            FileInfo initdb = new(Path.Combine(folder, "initdb"));
            string? real = initdb.Exists ? Path.GetDirectoryName(initdb.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? initdb.FullName) : null;
            if (real is null || !File.Exists(Path.Combine(real, "postgres")) || found.Exists(t => t.BinFolder == real))
                continue;
            found.Add(new PostgresTools(real, ReadVersion(Path.Combine(real, "postgres"))));
        }
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
