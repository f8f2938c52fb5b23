using System.Management.Automation;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Retention;
using PgBackup.Retention.Removal;

namespace PgBackup.PowerShell.Retention;

/// <summary>Tells what a retention policy would keep and remove, and why; changes nothing.</summary>
[Cmdlet(VerbsCommon.Get, "PgBackupRetention")]
[OutputType(typeof(RetentionDecision))]
public sealed class GetPgBackupRetentionCommand : PgRetentionCmdlet
{
    /// <summary>Only what is kept, or only what is removed.</summary>
    [Parameter]
    public RetentionAction? Action { get; set; }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        foreach (RetentionDecision decision in await RetentionRun.PreviewAsync(BackupRepository.Open(Settings), Chosen, pipeline.Log, cancellationToken: cancellationToken))
        {
            if (Action is null || decision.Action == Action)
                await pipeline.WriteObjectAsync(decision);
        }
    }
}
