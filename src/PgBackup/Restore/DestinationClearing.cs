using System.Globalization;
using PgBackup.Errors;
using PgBackup.Platform;
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
        if (RunningServers.On(dataDirectory) is not { } process)
            return;
        log.Information($"Stopping the server (process {process}) on '{dataDirectory}'.");
        ProgramOutcome outcome = await programs.StopAsync(dataDirectory, "fast", s_stopLimit).ConfigureAwait(false);
        if (outcome.ExitCode != 0 || RunningServers.On(dataDirectory) is not null)
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
                if (!Directory.Exists(tablespace.Target) || new FileInfo(link).LinkTarget is not { } old || !RealPath.Same(old, tablespace.Target))
                    continue;
                SetAside(tablespace, tablespace.Target + suffix, undo);
                TablespaceLink.Set(link, tablespace.Target + suffix);
                undo.Push(() => TablespaceLink.Set(link, old));
            }
            Directory.Move(dataDirectory, dataDirectory + suffix);
            undo.Push(() => Directory.Move(dataDirectory + suffix, dataDirectory));
            // Once more: a supervisor may have started it again in between.
            if (RunningServers.On(dataDirectory + suffix) is not { } process)
                return dataDirectory + suffix;
            while (undo.TryPop(out Action? back))
                back();
            throw PgErrors.DestinationInUse(dataDirectory, process);
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
            using (var destination = new RestoreDestination(dataDirectory, tablespaces, null) { InPlace = true })
                destination.Take("Being cleared for a restore.");
            foreach (RestoredTablespace tablespace in tablespaces)
            {
                if (Directory.Exists(tablespace.Target))
                    Empty(tablespace.Target, tablespace.Owns);
            }
            Empty(dataDirectory, static name => name != RestoreDestination.MarkerName);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.RestoreWriteFailed(dataDirectory, error);
        }
    }

    // Of the folder only what is the cluster's own; the folder itself may be a mount, and others' too.
    private static void SetAside(RestoredTablespace tablespace, string aside, Stack<Action> undo)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(aside);
        }
        else
        {
            Directory.CreateDirectory(aside, File.GetUnixFileMode(tablespace.Target));
            (uint user, uint group) = Posix.OwnerOf(tablespace.Target);
            Posix.ChangeOwner(aside, user, group);
        }
        undo.Push(() => Directory.Delete(aside));
        foreach (string entry in Directory.GetDirectories(tablespace.Target).Where(e => tablespace.Owns(Path.GetFileName(e))))
        {
            string moved = Path.Combine(aside, Path.GetFileName(entry));
            Directory.Move(entry, moved);
            undo.Push(() => Directory.Move(moved, entry));
        }
    }

    private static void Empty(string folder, Func<string, bool> goes)
    {
        foreach (string entry in Directory.EnumerateFileSystemEntries(folder))
        {
            if (Path.GetFileName(entry) is var name && (!goes(name) || name == "lost+found"))
                continue;
            // A link is removed, never followed.
            if (Directory.Exists(entry) && new FileInfo(entry).LinkTarget is null)
                Directory.Delete(entry, recursive: true);
            else
                File.Delete(entry);
        }
    }
}
