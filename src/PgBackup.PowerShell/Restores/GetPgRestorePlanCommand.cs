using System.Management.Automation;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Restore.Planning;

namespace PgBackup.PowerShell.Restores;

/// <summary>Shows how a target would be reached, proven from what the repository holds; changes nothing.</summary>
[Cmdlet(VerbsCommon.Get, "PgRestorePlan", DefaultParameterSetName = LatestSet)]
[OutputType(typeof(RestorePlan))]
public sealed class GetPgRestorePlanCommand : PgRestoreCmdlet
{
    /// <summary>Where the files would go; without it the destination is not looked at.</summary>
    [Parameter(Position = 0)]
    [Alias("PGDATA", "Destination")]
    [ValidateNotNullOrEmpty]
    public string? DataDirectory { get; set; }

    /// <inheritdoc/>
    private protected override string? Destination => DataDirectory;

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken) =>
        await pipeline.WriteObjectAsync(
            await RestorePlanner.PlanAsync(BackupRepository.Open(Settings), Request, pipeline.Progress, pipeline.Log, cancellationToken));
}
