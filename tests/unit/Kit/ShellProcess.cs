using System.Diagnostics;

namespace PgBackup.Tests.Kit;

/// <summary>A PowerShell to start as a process: the small host of this tree, and the real pwsh where there is one.</summary>
public sealed record ShellProcess(string Name, string Program)
{
    /// <summary>The small host, built along with the tests.</summary>
    public static ShellProcess Host { get; } = new("host", FindHost());

    /// <summary>Every shell of this machine.</summary>
    public static IEnumerable<ShellProcess> All
    {
        get
        {
            yield return Host;
            string? pwsh = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
                .Select(folder => Path.Combine(folder, "pwsh")).FirstOrDefault(File.Exists);
            if (pwsh is not null)
                yield return new ShellProcess("pwsh", pwsh);
        }
    }

    /// <summary>A start with the arguments given, without colours.</summary>
    public ProcessStartInfo StartInfo(params IEnumerable<string> arguments)
    {
        ProcessStartInfo start = new(Program, ["-NoProfile", "-NonInteractive", .. arguments]);
        start.Environment["NO_COLOR"] = "1";
        return start;
    }

    /// <summary>Runs it to its end.</summary>
    public Task<ToolResult> RunAsync(params IEnumerable<string> arguments) => ToolProcess.RunAsync(StartInfo(arguments));

    /// <inheritdoc/>
    public override string ToString() => Name;

    private static string FindHost()
    {
        string unit = Path.Combine("tests", "unit", "bin");
        string folder = AppContext.BaseDirectory.Replace(unit, Path.Combine("tests", "host", "bin"), StringComparison.Ordinal);
        string program = Path.Combine(folder, "pgbackup-host");
        return File.Exists(program) ? program : throw new InvalidOperationException($"The small host is not at '{program}'; build tests/unit, which builds it.");
    }
}
