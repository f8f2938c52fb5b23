using System.Diagnostics;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>Programs on PATH.</summary>
internal static class Tools
{
    /// <summary>The full path of a program; throws when it is not there.</summary>
    public static string Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists)
        ?? throw new InvalidOperationException($"'{program}' was not found on PATH. Debian's package of the same name brings it.");

    /// <summary>The first line that a program prints.</summary>
    public static async Task<string> FirstLineAsync(string program, params string[] arguments) =>
        (await ToolProcess.RunAsync(new ProcessStartInfo(program, arguments))).EnsureSuccess().Output.Split('\n')[0].Trim();
}
