using System.Diagnostics;
using System.Globalization;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Restore.Fetching;
using PgBackup.Restore.Planning;
using PgBackup.Restore.Starting;

namespace PgBackup.Extraction;

/// <summary>
/// The private folder in which a cluster is restored beside: its files, its socket, its dump. A note in it says whose it is, so that the next run finds what one that was killed has left.
/// </summary>
internal sealed class ScratchFolder
{
    private const string NamePrefix = "pgbackup-beside-";
    private const string NoteName = "owner";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // A socket's path has at most 107 bytes on Linux, 103 elsewhere (unix(7)): 13 of them are the name of PostgreSQL's.
    private const int LongestSocketFolder = 85;

    private readonly FileOwner? _owner;

    private ScratchFolder(string path, FileOwner? owner)
    {
        Path = path;
        _owner = owner;
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>The data directory in it.</summary>
    public string DataDirectory => System.IO.Path.Combine(Path, "data");

    /// <summary>The folder of the socket: in it where that is short enough.</summary>
    public string SocketFolder { get; private set; } = "";

    /// <summary>Makes one. Throws <c>WorkPathInvalid</c>.</summary>
    public static ScratchFolder Create(string workPath, FileOwner? owner)
    {
        string name = NamePrefix + System.IO.Path.GetRandomFileName().Replace(".", "", StringComparison.Ordinal);
        var scratch = new ScratchFolder(System.IO.Path.Combine(workPath, name), owner);
        try
        {
            scratch.MakeFolder(scratch.Path);
            scratch.SocketFolder = scratch.Path;
            if (System.Text.Encoding.UTF8.GetByteCount(scratch.Path) > LongestSocketFolder || scratch.Path.AsSpan().ContainsAny(',', '"'))
            {
                scratch.SocketFolder = System.IO.Path.Combine(System.IO.Path.GetTempPath(), name);
                scratch.MakeFolder(scratch.SocketFolder);
            }
            using var self = Process.GetCurrentProcess();
            File.WriteAllText(
                System.IO.Path.Combine(scratch.Path, NoteName),
                string.Create(CultureInfo.InvariantCulture, $"{self.Id}\n{self.StartTime.ToUniversalTime().Ticks}\n{scratch.SocketFolder}\n"));
            return scratch;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            scratch.Remove(OperationLog.None);
            throw PgErrors.WorkPathInvalid(workPath, error.Message, error);
        }
    }

    /// <summary>
    /// Ends the servers and removes the folders that runs left which were killed. Only folders of this account, or of the one that runs the servers, are looked at.
    /// </summary>
    public static async Task ClearLeftoversAsync(string workPath, FileOwner? owner, ServerPrograms programs, IOperationLog log, CancellationToken cancellationToken)
    {
        foreach (string folder in Directory.EnumerateDirectories(workPath, NamePrefix + "*"))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (ReadNote(folder, owner) is not { } note || IsAlive(note.Process, note.Started))
                continue;
            var left = new ScratchFolder(folder, owner) { SocketFolder = note.Socket };
            if (RunningServers.On(left.DataDirectory) is { } server)
            {
                log.Warning($"A run that was killed has left a server (process {server}) on '{left.DataDirectory}'; it is stopped.");
                await programs.StopAsync(left.DataDirectory, "immediate", TimeSpan.FromMinutes(1)).ConfigureAwait(false);
            }
            log.Warning($"A run that was killed has left '{folder}'; it is removed.");
            left.Remove(log);
        }
    }

    /// <summary>Removes the data directory and the tablespaces, and leaves the rest.</summary>
    public void RemoveCluster()
    {
        foreach (string folder in Directory.EnumerateDirectories(Path))
            Directory.Delete(folder, recursive: true);
    }

    /// <summary>Removes everything; what cannot be is told.</summary>
    public void Remove(IOperationLog log)
    {
        foreach (string folder in new[] { Path, SocketFolder })
        {
            try
            {
                // The note goes last, with its folder: what a kill leaves here must be found again.
                if (folder == Path && Directory.Exists(folder))
                    RemoveCluster();
                if (folder.Length > 0 && Directory.Exists(folder))
                    Directory.Delete(folder, recursive: true);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                log.Warning($"'{folder}' could not be removed: {error.Message} Remove it by hand.");
            }
        }
    }

    private void MakeFolder(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, OwnerOnly);
        if (_owner is { } account)
            Posix.ChangeOwner(path, account.User, account.Group);
    }

    private static (int Process, long Started, string Socket)? ReadNote(string folder, FileOwner? owner)
    {
        try
        {
            // In a folder like /tmp anybody can make one of this name.
            if (!OperatingSystem.IsWindows() && Posix.OwnerOf(folder).User is var user && user != Posix.User && user != owner?.User)
                return null;
            string[] lines = File.ReadAllLines(System.IO.Path.Combine(folder, NoteName));
            return lines.Length >= 3 && int.TryParse(lines[0], CultureInfo.InvariantCulture, out int process) && long.TryParse(lines[1], CultureInfo.InvariantCulture, out long started)
                && (lines[2] == folder || System.IO.Path.GetFileName(lines[2]) == System.IO.Path.GetFileName(folder))
                ? (process, started, lines[2])
                : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // Just being made or removed by another run, or not ours to look at.
        }
    }

    private static bool IsAlive(int id, long started)
    {
        try
        {
            using Process process = Process.GetProcessById(id);
            // Ids are used again; start times are told to a hundredth of a second.
            return Math.Abs(process.StartTime.ToUniversalTime().Ticks - started) < TimeSpan.TicksPerSecond;
        }
        catch (Exception error) when (error is ArgumentException or InvalidOperationException)
        {
            return false;
        }
    }
}
