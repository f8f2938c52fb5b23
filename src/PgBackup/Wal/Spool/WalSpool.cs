using System.IO.Hashing;
using System.Text;
using PgBackup.Configuration;
using PgBackup.Platform;
using PgBackup.Storage.S3;

namespace PgBackup.Wal.Spool;

/// <summary>
/// Where the native command keeps, from one call to the next, what it did ahead of the server: a folder for each pair of a server's pg_wal and a repository, outside the data
/// directory, so that neither pg_rewind nor a backup meets it. All of it may be lost at any time: then the work is done again.
/// </summary>
public sealed class WalSpool
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const int OthersMayWrite = 0x12; // 0022

    private WalSpool(string folder) => Folder = folder;

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>
    /// The spool; null where there is no place for one: everything works without, one file after the other. What others may write to is no place, because the server replays what it takes
    /// from there.
    /// </summary>
    /// <param name="settings">The repository.</param>
    /// <param name="walFolder">The server's pg_wal.</param>
    /// <param name="log">Where to say why there is none.</param>
    public static WalSpool? TryOpen(RepositorySettings settings, string walFolder, IOperationLog log)
    {
        string? dataDirectory = DataDirectoryOf(walFolder);
        foreach (string root in RootsFor(settings.Wal))
        {
            if (dataDirectory is not null && RealPath.Overlap(root, dataDirectory))
            {
                log.Verbose($"The folder '{root}' lies in the data directory, where backups and pg_rewind would meet it.");
                continue;
            }
            try
            {
                MakePrivate(root);
                string folder = Path.Combine(root, NameOf(settings, walFolder));
                MakePrivate(folder);
                return new WalSpool(folder);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                log.Verbose($"The folder '{root}' cannot keep what is done ahead: {error.Message}");
            }
        }
        return null;
    }

    /// <summary>Makes a folder in the spool and returns its path.</summary>
    internal string Combine(string name)
    {
        string path = Path.Combine(Folder, name);
        MakePrivate(path);
        return path;
    }

    /// <summary>Writes a small file, which appears whole, but is not synced. Two processes do not share the temporary file.</summary>
    internal static void Replace(string path, string text)
    {
        string temporary = $"{path}.{Environment.ProcessId}";
        File.WriteAllText(temporary, text);
        File.Move(temporary, path, overwrite: true);
    }

    // pg_wal may be a link out of it.
    private static string? DataDirectoryOf(string walFolder) =>
        Path.GetDirectoryName(Path.GetFullPath(walFolder)) is { } parent && File.Exists(Path.Combine(parent, "PG_VERSION")) ? parent : null;

    /// <summary>The folders that may hold spools, the preferred one first.</summary>
    private static IEnumerable<string> RootsFor(WalSettings settings)
    {
        if (settings.SpoolFolder is { } given)
        {
            yield return Path.Combine(given, "pgbackup");
            yield break;
        }
        // XDG Base Directory Specification: what persists between restarts, but is not worth a backup.
        string? state = Environment.GetEnvironmentVariable("XDG_STATE_HOME");
        if (state is not null && Path.IsPathFullyQualified(state))
            yield return Path.Combine(state, "pgbackup");
        else if (OperatingSystem.IsWindows())
            yield return Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "PgBackup");
        else if (Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) is { Length: > 1 } home)
            yield return Path.Combine(home, ".local", "state", "pgbackup");
        yield return Path.Combine(Path.GetTempPath(), OperatingSystem.IsWindows() ? "PgBackup" : $"pgbackup-{Posix.User}");
    }

    private static void MakePrivate(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
            return;
        }
        Directory.CreateDirectory(path, Private);
        if (Posix.FactsOf(path) is not { IsDirectory: true } facts || facts.User != Posix.User || (facts.Mode & OthersMayWrite) != 0)
            throw new IOException($"'{path}' is not a folder of this account's own that nobody else can write to.");
    }

    private static string NameOf(RepositorySettings settings, string walFolder)
    {
        string real = RealPath.Of(walFolder);
        string identity = $"{real}\n{settings.Location}\n{(settings.Storage as S3Settings)?.EndpointUrl}";
        return $"{XxHash128.HashToUInt128(Encoding.UTF8.GetBytes(identity)):x32}";
    }
}
