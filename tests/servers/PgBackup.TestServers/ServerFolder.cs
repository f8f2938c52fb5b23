using System.Diagnostics;

namespace PgBackup.TestServers;

/// <summary>
/// A temporary folder in which servers live, and its guard: a shell that waits until this process lets go of it or is gone (however it ended), then kills
/// every process whose command line names the folder, and removes the folder.
/// </summary>
internal sealed class ServerFolder : IAsyncDisposable
{
    private const string GuardScript = """
        trap '' INT TERM HUP
        read -r _
        i=0
        while [ $i -lt 20 ]; do
            for entry in /proc/[0-9]*; do
                pid=${entry#/proc/}
                [ "$pid" = $$ ] && continue
                case $({ tr '\0' ' ' < "$entry/cmdline"; } 2>/dev/null) in
                    *"$1"*) kill -9 "$pid" 2>/dev/null ;;
                esac
            done
            rm -rf "$1" 2>/dev/null && [ ! -e "$1" ] && exit 0
            i=$((i + 1))
            sleep 0.1
        done
        """;

    private readonly Process _guard;

    public ServerFolder(string name)
    {
        Path = Directory.CreateTempSubdirectory($"pgb-{name}-").FullName;
        _guard = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", GuardScript, "pgbackup-server-guard", Path])
        {
            RedirectStandardInput = true,
            WorkingDirectory = "/",
        }) ?? throw new InvalidOperationException("The guard of a server's folder did not start.");
    }

    public string Path { get; }

    public string Combine(params ReadOnlySpan<string> parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>Makes a folder in it.</summary>
    public string CreateFolder(params ReadOnlySpan<string> parts) => Directory.CreateDirectory(Combine(parts)).FullName;

    /// <summary>The last lines of every log in the folder, for whoever must find out why a server does not start.</summary>
    public string Logs()
    {
        IEnumerable<string> files = Directory.EnumerateFiles(Path, "*.log", SearchOption.AllDirectories).Order(StringComparer.Ordinal);
        return string.Join('\n', files.Select(file => $"--- {file}\n{string.Join('\n', File.ReadLines(file).TakeLast(15))}"));
    }

    public async ValueTask DisposeAsync()
    {
        _guard.StandardInput.Close();
        await _guard.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        _guard.Dispose();
    }
}
