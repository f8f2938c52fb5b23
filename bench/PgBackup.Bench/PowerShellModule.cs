using System.Diagnostics;
using PgBackup.Configuration;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>How a PowerShell process with our module is started.</summary>
/// <param name="Stopwatches">What measures it.</param>
/// <param name="PowerShell">The program: pwsh or the small host.</param>
/// <param name="Folder">The module's folder, readable by the server's account.</param>
internal sealed record PowerShellModule(Stopwatches Stopwatches, string PowerShell, string Folder)
{
    /// <summary>The program's name.</summary>
    public string Host => Path.GetFileNameWithoutExtension(PowerShell);

    /// <summary>The script that archive_command runs.</summary>
    public string ArchiveScript => Path.Combine(Folder, "scripts", "pgbackup-archive.ps1");

    /// <summary>The native command that archive_command runs.</summary>
    public string NativeCommand => EntryProgram.NativePath(Path.Combine(Folder, "scripts"));

    /// <summary>Measures a process that imports the module and runs a command to a good end.</summary>
    public Task<(Measurement Took, string Output)> RunAsync(RepositoryHome home, string command, CancellationToken cancellationToken) =>
        Stopwatches.RunAsync(home.Environment, cancellationToken, PowerShell, Arguments(command));

    /// <summary>Starts a process that imports the module and stays with a command; its end is the caller's business.</summary>
    public Process Start(RepositoryHome home, string command)
    {
        ProcessStartInfo start = ServerAccount.Current.StartInfo(PowerShell, Arguments(command));
        Stopwatches.Prepare(start, home.Environment);
        return Process.Start(start) ?? throw new InvalidOperationException($"'{PowerShell}' did not start.");
    }

    private string[] Arguments(string command) =>
        ["-NoProfile", "-NonInteractive", "-Command", $"$ErrorActionPreference = 'Stop'; Import-Module '{Path.Combine(Folder, "PgBackup.psd1")}'; {command}"];
}
