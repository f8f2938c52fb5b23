using System.Globalization;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>Our module: a PowerShell process that imports it, does the one thing, and ends.</summary>
internal sealed class PgBackupModule(PowerShellModule module, PostgresCluster cluster, RepositoryHome home, string archiveCommand) : Contestant
{
    private string _newest = "";

    /// <summary>The name that the others are compared with.</summary>
    public const string ToolName = "PgBackup";

    /// <inheritdoc/>
    public override string Name => Distinction is null ? ToolName : $"{ToolName}, {Distinction}";

    /// <summary>What tells it from another one in the same table.</summary>
    public string? Distinction { get; init; }

    public override string ArchiveCommand => archiveCommand;

    private string BackupFolder => $"basebackups_005/{_newest}/";

    public override Task<string> DescribeAsync(CancellationToken cancellationToken) =>
        Task.FromResult($"the whole process: {module.Host} starts, imports the module, runs the cmdlet with its defaults, ends");

    public override Task PrepareAsync(CancellationToken cancellationToken) => home.PrepareAsync(cancellationToken);

    /// <summary>The row of the cmdlet's own time: from the checkpoint that begins the backup to its publication.</summary>
    public string CmdletName => $"{Name}, the backup alone";

    public override async Task<IReadOnlyList<Result>> BackUpAsync(bool isFull, CancellationToken cancellationToken)
    {
        (Measurement took, string output) = await module.RunAsync(
            home,
            $"$b = Backup-PgCluster -HostName 127.0.0.1 -Port {cluster.Port} -UserName postgres -Database postgres -Repository '{home.Repository}' -Type {(isFull ? "Full" : "Delta")}; "
            + "'{0} {1}' -f $b.Name, [long]$b.Duration.TotalMilliseconds",
            cancellationToken);
        string[] words = output.Trim().Split(' ');
        _newest = words[0];
        return _newest.Length > 0 && await home.BytesAsync($"basebackups_005/{_newest}_backup_stop_sentinel.json", cancellationToken) > 0
            ? [new Result(Name, took), new Result(CmdletName, took with { Wall = TimeSpan.FromMilliseconds(long.Parse(words[1], CultureInfo.InvariantCulture)) })]
            : throw new InvalidOperationException($"No backup came of it. The process printed:\n{output}");
    }

    public override async Task<IReadOnlyList<Result>> RestoreAsync(string destination, CancellationToken cancellationToken)
    {
        (Measurement took, _) = await module.RunAsync(
            home, $"Restore-PgPointInTime -Repository '{home.Repository}' -Name '{_newest}' -Immediate -DataDirectory '{destination}' | Out-Null", cancellationToken);
        return [new Result(Name, took)];
    }

    public override void WarmNewestBackup(CancellationToken cancellationToken) => home.Warm(BackupFolder, cancellationToken);

    public override Task<long> StoredBytesAsync(CancellationToken cancellationToken) => home.BytesAsync(BackupFolder, cancellationToken);
}
