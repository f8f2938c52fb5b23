using System.Diagnostics;
using System.Runtime.InteropServices;

namespace PgBackup.Build;

/// <summary>Runs programs. They share our console; a signal that should end us is left to them, and we wait for them to clean up.</summary>
internal static class Run
{
    private const int SigTerm = 15;

    /// <summary>Runs a program and returns its exit code.</summary>
    public static async Task<int> CodeAsync(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        using Process process = Start(program, arguments, environment, redirect: false);
        // Ctrl+C reaches the program by itself: it belongs to the same terminal.
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            if (!OperatingSystem.IsWindows())
                _ = Kill(process.Id, SigTerm);
        });
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    /// <summary>Runs a program and throws when it does not end with 0.</summary>
    public static async Task OkAsync(string program, params string[] arguments)
    {
        int code = await CodeAsync(program, arguments);
        if (code != 0)
            throw new BuildException($"'{program} {string.Join(' ', arguments)}' ended with {code}.");
    }

    /// <summary>Runs a program and returns what it printed, or null when it is not there or does not end with 0.</summary>
    public static async Task<string?> OutputAsync(string program, params string[] arguments)
    {
        if (Which(program) is null)
            return null;
        using Process process = Start(program, arguments, null, redirect: true);
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        await error;
        return process.ExitCode == 0 ? output.Trim() : null;
    }

    /// <summary>The full path of a program on PATH, or null.</summary>
    public static string? Which(string program)
    {
        if (Path.IsPathFullyQualified(program))
            return File.Exists(program) ? program : null;
        string file = OperatingSystem.IsWindows() ? $"{program}.exe" : program;
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, file)).FirstOrDefault(File.Exists);
    }

    private static Process Start(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment, bool redirect)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            WorkingDirectory = Layout.Root,
            RedirectStandardOutput = redirect,
            RedirectStandardError = redirect,
        };
        // A build server that stays behind would hold our output open.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        return Process.Start(start) ?? throw new BuildException($"'{program}' did not start.");
    }

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int Kill(int pid, int signal);
}
