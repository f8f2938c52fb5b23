using System.Diagnostics;
using System.Runtime.InteropServices;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Wal.Native;

/// <summary>The native command of the staged module, which the task Test builds before the tests run.</summary>
internal static class NativeCommand
{
    private static readonly Lazy<string> s_program = new(Share);

    /// <summary>Its path.</summary>
    public static string Program => s_program.Value;

    /// <summary>A start with nothing in the environment that configures it but what is given.</summary>
    public static ProcessStartInfo StartInfo(string workingFolder, IReadOnlyDictionary<string, string> environment, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Program, arguments) { WorkingDirectory = workingFolder };
        foreach (string name in start.Environment.Keys.Where(static name => name.StartsWith("WALG_", StringComparison.Ordinal)
            || name.StartsWith("AWS_", StringComparison.Ordinal) || name.StartsWith("PGBACKUP_", StringComparison.Ordinal) || name.StartsWith("XDG_", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        return start;
    }

    /// <summary>Runs it to its end.</summary>
    public static Task<ToolResult> RunAsync(string workingFolder, IReadOnlyDictionary<string, string> environment, params IEnumerable<string> arguments) =>
        ToolProcess.RunAsync(StartInfo(workingFolder, environment, arguments));

    // The tree may lie where the server's account cannot read it, and the server runs this.
    private static string Share()
    {
        string program = Find();
        string folder = Directory.CreateDirectory(Path.Combine(TestRun.Root, "native")).FullName;
        const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        File.SetUnixFileMode(folder, Readable);
        // With the libraries that lie beside it.
        foreach (string file in Directory.GetFiles(Path.GetDirectoryName(program)!))
        {
            string copy = Path.Combine(folder, Path.GetFileName(file));
            File.Copy(file, copy);
            File.SetUnixFileMode(copy, Readable);
        }
        return Path.Combine(folder, Path.GetFileName(program));
    }

    private static string Find()
    {
        string platform = $"linux-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(Path.Combine(folder.FullName, "PgBackup.slnx")))
                continue;
            string program = Path.Combine(folder.FullName, "out", "module", "PgBackup", "bin", "engine", "runtimes", platform, "native", "pgbackup-wal");
            return File.Exists(program) ? program : throw new InvalidOperationException($"The native command is not at '{program}'; run './build.sh Build', which puts it there.");
        }
        throw new InvalidOperationException($"'{AppContext.BaseDirectory}' is not within the tree.");
    }
}
