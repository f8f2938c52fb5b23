using System.Diagnostics;
using System.Globalization;
using System.Text;
using PgBackup.Errors;
using PgBackup.Restore.Fetching;

namespace PgBackup.Restore.Starting;

/// <summary>The programs of one major version of PostgreSQL, run as the account that owns the files.</summary>
internal sealed class ServerPrograms
{
    private readonly string _folder;
    private readonly FileOwner? _owner;

    private ServerPrograms(string folder, FileOwner? owner)
    {
        _folder = folder;
        _owner = owner;
    }

    /// <summary>Finds them on PATH and where distributions put them. Throws <c>ToolMissing</c>.</summary>
    public static async Task<ServerPrograms> FindAsync(int? major, FileOwner? owner, CancellationToken cancellationToken)
    {
        var searched = new List<string>();
        string version = major?.ToString(CultureInfo.InvariantCulture) ?? "";
        string[] likely = [$"/usr/lib/postgresql/{version}/bin", $"/usr/pgsql-{version}/bin", $"/usr/local/pgsql-{version}/bin", "/usr/local/pgsql/bin"];
        foreach (string folder in likely.Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)))
        {
            // PATH may hold links to single programs; the folder that they point to has the others as well.
            var program = new FileInfo(Path.Combine(folder, "pg_ctl"));
            if (!program.Exists || Path.GetDirectoryName(program.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? program.FullName) is not { } real
                || !File.Exists(Path.Combine(real, "postgres")))
                continue;
            var programs = new ServerPrograms(real, owner);
            string answer = (await programs.RunAsync("postgres", ["--version"], cancellationToken).ConfigureAwait(false)).Output.Trim();
            if (major is null || answer.Contains($"(PostgreSQL) {version}.", StringComparison.Ordinal) || answer.Contains($"(PostgreSQL) {version}devel", StringComparison.Ordinal)
                || answer.Contains($"(PostgreSQL) {version}beta", StringComparison.Ordinal))
                return programs;
            searched.Add($"{real} ({answer})");
        }
        throw PgErrors.ServerProgramsMissing(major, searched.Count == 0 ? $"PATH and {likely[0]}" : string.Join(", ", searched));
    }

    /// <summary>Runs a program to its end.</summary>
    public Task<ProgramOutcome> RunAsync(string program, IEnumerable<string> arguments, CancellationToken cancellationToken) =>
        RunAsync(program, arguments, null, cancellationToken);

    /// <summary>The same, with something to read, which must be short.</summary>
    public async Task<ProgramOutcome> RunAsync(string program, IEnumerable<string> arguments, string? input, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(Path.Combine(_folder, program), arguments)
        {
            WorkingDirectory = "/",
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        if (_owner is not null)
        {
            start.UserName = _owner.Name;
            start.Environment["USER"] = start.Environment["LOGNAME"] = _owner.Name;
            start.Environment.Remove("HOME");
        }
        // The server must not take the data directory, port or options of ours for its own.
        foreach (string name in new[] { "PGDATA", "PGPORT", "PGHOST", "PGOPTIONS", "PGUSER", "PGDATABASE" })
            start.Environment.Remove(name);
        start.Environment["LC_MESSAGES"] = "C";
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"'{start.FileName}' did not start.");
        if (input is not null)
            await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken).ConfigureAwait(false);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }
        return new ProgramOutcome(process.ExitCode, await output.ConfigureAwait(false), await error.ConfigureAwait(false));
    }

    /// <summary>The value that a setting would have for a server on this directory; null when it cannot be told.</summary>
    public async Task<string?> SettingAsync(string dataDirectory, string name, IReadOnlyList<string> options, CancellationToken cancellationToken)
    {
        ProgramOutcome outcome = await RunAsync("postgres", ["-D", dataDirectory, .. options, "-C", name], cancellationToken).ConfigureAwait(false);
        return outcome.ExitCode == 0 ? outcome.Output.TrimEnd('\n', '\r') : null;
    }

    /// <summary>Stops a server and waits until it is gone; true when it is.</summary>
    public async Task<ProgramOutcome> StopAsync(string dataDirectory, string mode, TimeSpan limit) =>
        await RunAsync(
            "pg_ctl", ["stop", "-D", dataDirectory, "-m", mode, "-w", "-t", ((int)limit.TotalSeconds).ToString(CultureInfo.InvariantCulture)], CancellationToken.None).ConfigureAwait(false);

    /// <summary>The command line of pg_ctl's -o: options quoted for the shell through which pg_ctl runs the server.</summary>
    public static string OptionText(IEnumerable<string> options)
    {
        var text = new StringBuilder();
        foreach (string option in options)
            text.Append(text.Length == 0 ? "" : " ").Append('\'').Append(option.Replace("'", "'\\''", StringComparison.Ordinal)).Append('\'');
        return text.ToString();
    }
}

/// <summary>What a program that has ended left behind.</summary>
internal sealed record ProgramOutcome(int ExitCode, string Output, string Error)
{
    /// <summary>What it said, on one line.</summary>
    public string Said => string.Join(" ", (Error + "\n" + Output).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
