using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>Our module: a PowerShell process that imports it, does the one thing, and ends.</summary>
internal sealed class PgBackupModule(Stopwatches stopwatches, PostgresCluster cluster, string powerShell, string manifest, string folder) : Contestant
{
    private string _newest = "";

    /// <summary>The name that the others are compared with.</summary>
    public const string ToolName = "PgBackup";

    public override string Name => ToolName;

    public override string NewestBackup => Path.Combine(Repository, "basebackups_005", _newest);

    /// <summary>The value for archive_command: a copy, flushed, under its last name only when it is whole.</summary>
    public string ArchiveCommand
    {
        get
        {
            string target = Path.Combine(Repository, "wal_005");
            return $"cp \"%p\" \"{Incoming}/%f\" && sync \"{Incoming}/%f\" && mv \"{Incoming}/%f\" \"{target}/%f\"";
        }
    }

    private string Repository => Path.Combine(folder, "repo");

    private string Incoming => Path.Combine(folder, "incoming");

    public override Task<string> DescribeAsync(CancellationToken cancellationToken) =>
        Task.FromResult($"the whole process: {Path.GetFileNameWithoutExtension(powerShell)} starts, imports the module, runs the cmdlet with its defaults, ends");

    public override Task PrepareAsync(CancellationToken cancellationToken)
    {
        ServerAccount.Current.CreateFolder(Incoming);
        ServerAccount.Current.CreateFolder(Repository);
        ServerAccount.Current.CreateFolder(Path.Combine(Repository, "wal_005"));
        return Task.CompletedTask;
    }

    public override async Task<IReadOnlyList<Result>> BackUpAsync(CancellationToken cancellationToken)
    {
        (Measurement took, string output) = await RunAsync(
            $"(Backup-PgCluster -HostName 127.0.0.1 -Port {cluster.Port} -UserName postgres -Database postgres -Repository '{Repository}').Name", cancellationToken);
        _newest = output.Trim();
        return Directory.Exists(NewestBackup) && File.Exists(NewestBackup + "_backup_stop_sentinel.json")
            ? [new Result(Name, took)]
            : throw new InvalidOperationException($"No backup came of it. The process printed:\n{output}");
    }

    public override async Task<IReadOnlyList<Result>> RestoreAsync(string destination, CancellationToken cancellationToken)
    {
        (Measurement took, _) = await RunAsync(
            $"Restore-PgPointInTime -Repository '{Repository}' -Name '{_newest}' -Immediate -DataDirectory '{destination}' | Out-Null", cancellationToken);
        return [new Result(Name, took)];
    }

    private Task<(Measurement Took, string Output)> RunAsync(string command, CancellationToken cancellationToken) =>
        stopwatches.RunAsync(
            cancellationToken, powerShell, "-NoProfile", "-NonInteractive", "-Command", $"$ErrorActionPreference = 'Stop'; Import-Module '{manifest}'; {command}");
}
