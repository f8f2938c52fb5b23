using System.Globalization;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Restore.Fetching;
using PgBackup.Restore.Planning;
using PgBackup.Restore.Starting;

namespace PgBackup.Restore;

/// <summary>Makes room in a destination that holds something: by setting it aside, or by removing it. The plan has said that it may be.</summary>
internal static class DestinationClearing
{
    private static readonly TimeSpan s_stopLimit = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The command line of the server on a directory, from postmaster.opts: in Debian's layout it names the configuration. Without the program and without -D.
    /// </summary>
    public static IReadOnlyList<string> ServerOptions(string dataDirectory)
    {
        string file = Path.Combine(dataDirectory, "postmaster.opts");
        if (!File.Exists(file))
            return [];
        // PostgreSQL writes: /path/postgres "-D" "/data" "-c" "config_file=…"
        string[] words = File.ReadAllText(file).Trim().Split(" \"", StringSplitOptions.RemoveEmptyEntries);
        var options = new List<string>();
        for (int i = 1; i < words.Length; i++)
        {
            string word = words[i].TrimEnd('"');
            if (word == "-D")
                i++;
            else if (!word.StartsWith("-D", StringComparison.Ordinal))
                options.Add(word);
        }
        return options;
    }

    /// <summary>Stops the server on a directory, when one runs. Throws <c>ServerStopFailed</c>.</summary>
    public static async Task StopServerAsync(ServerPrograms programs, string dataDirectory, IOperationLog log)
    {
        if (DestinationPlanner.RunningProcess(dataDirectory) is not { } process)
            return;
        log.Information($"Stopping the server (process {process}) on '{dataDirectory}'.");
        ProgramOutcome outcome = await programs.StopAsync(dataDirectory, "fast", s_stopLimit).ConfigureAwait(false);
        if (outcome.ExitCode != 0 || DestinationPlanner.RunningProcess(dataDirectory) is not null)
            throw PgErrors.ServerStopFailed(dataDirectory, outcome.Said);
    }

    /// <summary>
    /// Renames the data directory, and the folders of its tablespaces, to what they were before this moment; the links in the old directory follow, so that the old cluster
    /// can be started again. Returns its new name.
    /// </summary>
    public static string SetAside(string dataDirectory, IReadOnlyList<RestoredTablespace> tablespaces, DateTimeOffset now)
    {
        string suffix = ".before-" + now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var undo = new Stack<Action>();
        try
        {
            foreach (RestoredTablespace tablespace in tablespaces)
            {
                string link = Path.Combine(dataDirectory, "pg_tblspc", tablespace.Oid.ToString(CultureInfo.InvariantCulture));
                if (!Directory.Exists(tablespace.Target) || new FileInfo(link).LinkTarget is null)
                    continue;
                string aside = tablespace.Target + suffix;
                Directory.Move(tablespace.Target, aside);
                undo.Push(() => Directory.Move(aside, tablespace.Target));
                Relink(link, aside);
                undo.Push(() => Relink(link, tablespace.Target));
            }
            Directory.Move(dataDirectory, dataDirectory + suffix);
            return dataDirectory + suffix;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            while (undo.TryPop(out Action? back))
                back();
            throw PgErrors.RestoreWriteFailed(dataDirectory, error);
        }
    }

    /// <summary>Removes what is in the data directory and in its tablespaces' folders. Whatever ends this half way leaves nothing that starts.</summary>
    public static void Clear(string dataDirectory, IReadOnlyList<RestoredTablespace> tablespaces)
    {
        try
        {
            File.WriteAllText(Path.Combine(dataDirectory, RestoreDestination.MarkerName), "Being cleared for a restore.");
            File.Delete(Path.Combine(dataDirectory, ControlFile.RelativePath));
            foreach (RestoredTablespace tablespace in tablespaces)
            {
                if (Directory.Exists(tablespace.Target))
                    Empty(tablespace.Target, keep: null);
            }
            Empty(dataDirectory, RestoreDestination.MarkerName);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.RestoreWriteFailed(dataDirectory, error);
        }
    }

    private static void Relink(string link, string target)
    {
        File.Delete(link);
        File.CreateSymbolicLink(link, target);
    }

    private static void Empty(string folder, string? keep)
    {
        foreach (string entry in Directory.EnumerateFileSystemEntries(folder))
        {
            if (Path.GetFileName(entry) is var name && (name == keep || name == "lost+found"))
                continue;
            // A link is removed, never followed.
            if (Directory.Exists(entry) && new FileInfo(entry).LinkTarget is null)
                Directory.Delete(entry, recursive: true);
            else
                File.Delete(entry);
        }
    }
}
