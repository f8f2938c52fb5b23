using System.Diagnostics;
using System.Runtime.InteropServices;
using PgBackup.Errors;

namespace PgBackup.Configuration;

/// <summary>What PostgreSQL starts for <c>archive_command</c> and <c>restore_command</c>.</summary>
public abstract record EntryProgram
{
    /// <summary>The variable that names the program for the entry scripts; it must take <c>-NoProfile -NonInteractive -File script arguments</c> as pwsh does.</summary>
    public const string Variable = "PGBACKUP_POWERSHELL";

    private const string NativeName = "pgbackup-wal";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The module's native command where it has one for this system, else its scripts, run by what PGBACKUP_POWERSHELL names, else by the pwsh that runs this, else by the pwsh on the
    /// PATH. Throws <c>PowerShellNotFound</c>.
    /// </summary>
    /// <param name="scriptFolder">The module's folder of entry scripts.</param>
    public static EntryProgram In(string scriptFolder)
    {
        string native = NativePath(scriptFolder);
        return CanRun(native)
            ? new NativeProgram(native)
            : new ScriptProgram(FindPowerShell(Environment.ProcessPath, Environment.GetEnvironmentVariable), scriptFolder);
    }

    /// <summary>Where the module has its native command for this system, beside the native libraries that it needs.</summary>
    /// <param name="scriptFolder">The module's folder of entry scripts.</param>
    public static string NativePath(string scriptFolder)
    {
        string system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
        string platform = $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
        string file = OperatingSystem.IsWindows() ? NativeName + ".exe" : NativeName;
        return Path.GetFullPath(Path.Combine(scriptFolder, "..", "bin", "engine", "runtimes", platform, "native", file));
    }

    // Some ways to install a module lose the permission; another C library, or a file system mounted noexec, and the file is there and does not run.
    private static bool CanRun(string path)
    {
        if (!File.Exists(path)
            || (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) == 0))
            return false;
        try
        {
            using Process? process = Process.Start(new ProcessStartInfo(path, ["--version"]) { RedirectStandardOutput = true, RedirectStandardError = true });
            return process is not null && process.WaitForExit(s_patience) && process.ExitCode == 0;
        }
        catch (Exception error) when (error is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            return false;
        }
    }

    internal static string FindPowerShell(string? running, Func<string, string?> environment)
    {
        if (environment(Variable) is { Length: > 0 } named)
            return File.Exists(named) ? Path.GetFullPath(named) : throw PgErrors.PowerShellPathInvalid(named);
        if (running is not null && string.Equals(Path.GetFileNameWithoutExtension(running), "pwsh", StringComparison.OrdinalIgnoreCase))
            return running;
        string file = OperatingSystem.IsWindows() ? "pwsh.exe" : "pwsh";
        foreach (string folder in (environment("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            string candidate = Path.Combine(folder, file);
            if (Path.IsPathFullyQualified(candidate) && File.Exists(candidate))
                return candidate;
        }
        throw PgErrors.PowerShellNotFound();
    }
}

/// <summary>The native command, which says itself how it ended.</summary>
/// <param name="Path">The program.</param>
public sealed record NativeProgram(string Path) : EntryProgram;

/// <summary>The entry scripts.</summary>
/// <param name="PowerShell">The program that runs them.</param>
/// <param name="Folder">Where they are.</param>
public sealed record ScriptProgram(string PowerShell, string Folder) : EntryProgram;
