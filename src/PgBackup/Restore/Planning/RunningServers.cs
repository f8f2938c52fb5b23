using System.Diagnostics;
using System.Globalization;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Restore.Fetching;

namespace PgBackup.Restore.Planning;

/// <summary>Which servers run on this machine, as their data directories and processes tell.</summary>
internal static class RunningServers
{
    private const string ProcessFile = "postmaster.pid";

    /// <summary>The process that runs on a data directory; null when none does.</summary>
    public static int? On(string directory)
    {
        string file = Path.Combine(directory, ProcessFile);
        try
        {
            string? first = File.Exists(file) ? File.ReadLines(file).FirstOrDefault() : null;
            if (!int.TryParse(first, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int process) || process == 0)
                return null;
            using Process running = Process.GetProcessById(Math.Abs(process));
            if (!OperatingSystem.IsLinux())
                return running.Id;
            if (HasEnded(running.Id))
                return null;
            // Ids are used again; the working directory of a server is its data directory.
            string? folder = new FileInfo($"/proc/{running.Id}/cwd").LinkTarget;
            return folder is null || RealPath.Same(folder, directory) ? running.Id : null;
        }
        catch (Exception error) when (error is ArgumentException or FileNotFoundException or DirectoryNotFoundException)
        {
            return null; // A file that a crash left behind, or a process that ended in between.
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.DestinationNotReplaceable(directory, $"whether a server runs on it cannot be told: {error.Message}");
        }
    }

    /// <summary>
    /// Throws <c>TablespaceInUse</c> when a server on another data directory than this one has one of the tablespaces' folders for its own: a copy of a data directory has the
    /// original's links. Seen on Linux only, and of those servers whose processes this account may look at.
    /// </summary>
    public static void RequireNotTheirs(string directory, IReadOnlyList<RestoredTablespace> tablespaces)
    {
        if (tablespaces.Count == 0)
            return;
        foreach (OwnedFolder owned in TablespacesBeside(directory))
        {
            if (tablespaces.FirstOrDefault(t => owned.Is(t.Target)) is { } taken)
                throw PgErrors.TablespaceInUse(taken.Source, taken.Target, owned.DataDirectory);
        }
    }

    /// <summary>The folders that servers on other data directories than this one have for tablespaces. Seen on Linux only.</summary>
    public static IEnumerable<OwnedFolder> TablespacesBeside(string directory)
    {
        if (!OperatingSystem.IsLinux())
            yield break;
        var seen = new HashSet<string>(StringComparer.Ordinal) { RealPath.Of(directory) };
        foreach (string process in Directory.EnumerateDirectories("/proc").Where(static p => char.IsAsciiDigit(Path.GetFileName(p)[0])))
        {
            if (new FileInfo(process + "/cwd").LinkTarget is not { } folder || !seen.Add(folder) || !File.Exists($"{process}/cwd/{ProcessFile}"))
                continue;
            foreach (string location in LocationsOf(process))
                yield return new OwnedFolder(location, folder, process);
        }
    }

    private static List<string> LocationsOf(string process)
    {
        try
        {
            return [.. new DirectoryInfo($"{process}/cwd/pg_tblspc").EnumerateFileSystemInfos().Select(static l => l.LinkTarget).OfType<string>().Where(Path.IsPathRooted)];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return []; // It ended in between, or is another account's: then so are its folders, and this one cannot write there.
        }
    }

    // One that has ended, but that nobody has waited for yet, is still in the table (proc(5), state Z).
    private static bool HasEnded(int process)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{process}/stat");
            return stat[stat.LastIndexOf(')') + 2] is 'Z' or 'X';
        }
        catch (IOException)
        {
            return true; // It went away in between.
        }
    }
}

/// <summary>A tablespace's folder of a server that runs.</summary>
/// <param name="Location">The folder, as that server has it.</param>
/// <param name="DataDirectory">Whose it is.</param>
/// <param name="Process">The server's folder in /proc.</param>
internal sealed record OwnedFolder(string Location, string DataDirectory, string Process)
{
    /// <summary>True for the same folder. In a container the path says something else; what it leads to there is the same.</summary>
    public bool Is(string path) => RealPath.Same(path, Location) || IsSame(path, $"{Process}/root{Location}");

    private static bool IsSame(string path, string other)
    {
        try
        {
            return Posix.FactsOf(path, followLinks: true) is { } one && Posix.FactsOf(other, followLinks: true) is { } two && one.Identity == two.Identity;
        }
        catch (IOException)
        {
            return false; // Not to be looked at by this account.
        }
    }
}
