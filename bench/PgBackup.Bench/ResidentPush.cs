using System.Diagnostics;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>
/// Push-PgWal in a process that stays, so that a backup waits for the push of its WAL and not for the start of a PowerShell. archive_command hands the path to it through
/// one named pipe and takes the answer from another.
/// </summary>
internal sealed class ResidentPush : IDisposable
{
    // The process is told nothing by the pipes when the cluster is gone: whoever owns it ends it.
    private const string Loop = """
        while ($true) {
            $path = [IO.File]::ReadAllText('requests').Trim()
            try { $null = Push-PgWal -LiteralPath $path -Repository $repository; $answer = 'stored' }
            catch { $answer = $_.Exception.Message -replace '\s+', ' ' }
            [IO.File]::AppendAllText('answers', "$answer`n")
        }
        """;

    private const string Script = """
        cd "$(dirname "$0")" || exit 1
        printf '%s\n' "$1" > requests
        read -r answer < answers
        [ "$answer" = stored ] && exit 0
        echo "$answer" >&2
        exit 1
        """;

    private readonly Process _process;
    private readonly string _script;

    private ResidentPush(Process process, string script)
    {
        _process = process;
        _script = script;
    }

    /// <summary>The value for archive_command.</summary>
    public string ArchiveCommand => $"timeout 60 sh \"{_script}\" \"$PWD/%p\"";

    /// <summary>Starts it, with its pipes in a folder of the server's account.</summary>
    public static async Task<ResidentPush> StartAsync(PowerShellModule module, RepositoryHome home, string folder, CancellationToken cancellationToken)
    {
        string script = Path.Combine(folder, "push.sh");
        await File.WriteAllTextAsync(script, Script, cancellationToken);
        (await ToolProcess.RunAsync(new("mkfifo", [Path.Combine(folder, "requests"), Path.Combine(folder, "answers")]), cancellationToken)).EnsureSuccess();
        ServerAccount.Current.Own(folder);
        return new ResidentPush(module.Start(home, $"[Environment]::CurrentDirectory = '{folder}'; $repository = '{home.Repository}'; {Loop}"), script);
    }

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }
}
