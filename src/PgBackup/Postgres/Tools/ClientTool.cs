using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.Errors;

namespace PgBackup.Postgres.Tools;

/// <summary>One of PostgreSQL's client programs, as it was found on this machine.</summary>
/// <param name="Name">pg_dump, pg_dumpall, pg_restore or psql.</param>
/// <param name="Path">The program itself, never Debian's wrapper, which chooses a version of its own.</param>
/// <param name="Version">What it says of itself, for example 17.6.</param>
public sealed partial record ClientTool(string Name, string Path, Version Version)
{
    /// <summary>The names that <see cref="FindAsync"/> knows.</summary>
    public const string PgDump = "pg_dump", PgDumpAll = "pg_dumpall", PgRestore = "pg_restore", Psql = "psql";

    private const string DebianFolder = "/usr/lib/postgresql";

    /// <summary>
    /// Finds a program of the given major version or the next newer one: an older pg_dump refuses a newer server, and an older pg_restore cannot read a newer archive (PostgreSQL
    /// documentation, pg_dump, "Notes"). Looks on the PATH, in the version folders of Debian, PGDG and Homebrew, and of the installer on Windows. Throws <c>ClientToolMissing</c>, which names
    /// what was found.
    /// </summary>
    public static async Task<ClientTool> FindAsync(string name, int major, CancellationToken cancellationToken = default)
    {
        var found = new List<ClientTool>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (string folder in Folders())
        {
            if (Resolve(System.IO.Path.Combine(folder, OperatingSystem.IsWindows() ? name + ".exe" : name)) is not { } path || !seen.Add(path))
                continue;
            if (await ReadVersionAsync(path, cancellationToken).ConfigureAwait(false) is { } version)
                found.Add(new ClientTool(name, path, version));
        }
        return found.Where(tool => tool.Version.Major >= major).OrderBy(tool => tool.Version.Major).ThenByDescending(tool => tool.Version).FirstOrDefault()
            ?? throw PgErrors.ClientToolMissing(name, major, [.. found.Select(tool => $"{tool.Version} ({tool.Path})")]);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} {Version}";

    private static IEnumerable<string> Folders()
    {
        foreach (string folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(System.IO.Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            yield return folder;
        (string Root, string Pattern)[] places = OperatingSystem.IsWindows()
            ? [(System.IO.Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ProgramFiles), "PostgreSQL"), "*")]
            : [(DebianFolder, "*"), ("/usr", "pgsql-*"), ("/usr/local", "pgsql*"), ("/opt/homebrew/opt", "postgresql@*"), ("/usr/local/opt", "postgresql@*"), ("/opt/homebrew/opt", "libpq")];
        foreach ((string root, string pattern) in places)
        {
            if (!Directory.Exists(root))
                continue;
            foreach (string folder in Directory.EnumerateDirectories(root, pattern).Order(StringComparer.Ordinal))
                yield return System.IO.Path.Combine(folder, "bin");
        }
    }

    // PATH may hold links: to the program itself, which then names its version folder, or to Debian's pg_wrapper.
    private static string? Resolve(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists)
            return null;
        string real = file.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? file.FullName;
        return System.IO.Path.GetFileName(real) == "pg_wrapper" ? null : real;
    }

    private static async Task<Version?> ReadVersionAsync(string path, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(path, ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> error = process.StandardError.ReadToEndAsync(cancellationToken);
            string answer = await process.StandardOutput.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
            await error.ConfigureAwait(false);
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            Match match = VersionText().Match(answer);
            return process.ExitCode == 0 && match.Success
                ? new Version(Number(match.Groups[1]), match.Groups[2].Success ? Number(match.Groups[2]) : 0)
                : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null; // Not a program, or not for this machine.
        }
    }

    private static int Number(Group group) => int.Parse(group.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"\(PostgreSQL\) (\d+)(?:\.(\d+))?")]
    private static partial Regex VersionText();
}
