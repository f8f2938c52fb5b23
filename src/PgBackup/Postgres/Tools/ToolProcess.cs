using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Postgres.Tools;

/// <summary>What a program left behind when it ended.</summary>
/// <param name="ExitCode">Its exit code; 0 when all went well.</param>
/// <param name="Errors">The last lines of its standard error, oldest first; bounded.</param>
public sealed record ToolOutcome(int ExitCode, IReadOnlyList<string> Errors);

/// <summary>One run of a client program: its output and input are streams of bytes, its messages lines. Disposing ends it when it still runs.</summary>
public sealed class ToolProcess : IAsyncDisposable
{
    private const int KeptLines = 200;

    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(10);

    private readonly Process _process;
    private readonly Queue<string> _lines = new();
    private readonly Task _reading;

    private ToolProcess(ClientTool tool, Process process, Action<string>? onLine)
    {
        Tool = tool;
        _process = process;
        _reading = Task.Run(() => ReadLinesAsync(onLine));
    }

    /// <summary>The program.</summary>
    public ClientTool Tool { get; }

    /// <summary>What it writes to its standard output, byte for byte.</summary>
    public Stream Output => _process.StandardOutput.BaseStream;

    /// <summary>Its standard input; closing it is its end.</summary>
    public Stream Input => _process.StandardInput.BaseStream;

    /// <summary>Starts a program. Throws <c>ClientToolFailed</c>.</summary>
    /// <param name="tool">Which.</param>
    /// <param name="connection">The server; its variables replace whatever of libpq's this process has.</param>
    /// <param name="arguments">The arguments, nothing secret among them.</param>
    /// <param name="onLine">Told each line of its standard error, on another thread.</param>
    public static ToolProcess Start(ClientTool tool, ToolConnection connection, IEnumerable<string> arguments, Action<string>? onLine = null)
    {
        var start = new ProcessStartInfo(tool.Path, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string name in start.Environment.Keys.Where(name => name.StartsWith("PG", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        foreach ((string name, string value) in connection.Variables)
            start.Environment[name] = value;
        // Messages are read here; data is not touched by it.
        start.Environment["LC_MESSAGES"] = "C";
        start.Environment.Remove("LC_ALL");
        start.Environment.Remove("LANGUAGE");
        try
        {
            return new ToolProcess(tool, Process.Start(start)!, onLine);
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            throw PgErrors.ClientToolFailed(tool.ToString(), $"it does not start: {error.Message}", error);
        }
    }

    /// <summary>Waits for its end. Its output must be read by somebody meanwhile. When stopped, the program is ended first.</summary>
    public async Task<ToolOutcome> WaitAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await EndAsync().ConfigureAwait(false);
            throw;
        }
        await _reading.ConfigureAwait(false);
        lock (_lines)
            return new ToolOutcome(_process.ExitCode, [.. _lines]);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await EndAsync().ConfigureAwait(false);
        _process.Dispose();
    }

    // Asked first: pg_dump and pg_restore then cancel what they run on the server, and end their workers.
    private async Task EndAsync()
    {
        if (!_process.HasExited && !OperatingSystem.IsWindows())
        {
            Posix.Terminate(_process.Id);
            using var limit = new CancellationTokenSource(s_grace);
            await _process.WaitForExitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        await _reading.ConfigureAwait(false);
    }

    private async Task ReadLinesAsync(Action<string>? onLine)
    {
        while (await _process.StandardError.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            lock (_lines)
            {
                _lines.Enqueue(line);
                if (_lines.Count > KeptLines)
                    _lines.Dequeue();
            }
            onLine?.Invoke(line);
        }
    }
}
