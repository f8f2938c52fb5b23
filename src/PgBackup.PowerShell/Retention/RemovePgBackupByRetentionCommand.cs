using System.Globalization;
using System.Management.Automation;
using PgBackup.Errors;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Retention;
using PgBackup.Retention.Removal;

namespace PgBackup.PowerShell.Retention;

/// <summary>Removes the backups and the WAL that a retention policy does not keep.</summary>
[Cmdlet(VerbsCommon.Remove, "PgBackupByRetention", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(RemovalResult))]
public sealed class RemovePgBackupByRetentionCommand : PgRetentionCmdlet
{
    private bool _isWhatIf;

    /// <summary>When the policy would remove more backups than so many, nothing is removed.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? MaxRemove { get; set; }

    /// <summary>In a bucket with versioning: removes the versions of what goes for good, too.</summary>
    [Parameter]
    public SwitchParameter PurgeVersions { get; set; }

    /// <inheritdoc/>
    protected override TimeSpan StopGrace => TimeSpan.FromMinutes(2); // A batch of deletions is brought to its end.

    /// <inheritdoc/>
    protected override void Prepare()
    {
        base.Prepare();
        _isWhatIf = this.IsWhatIf();
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        var repository = BackupRepository.Open(Settings);
        if (_isWhatIf)
        {
            foreach (RetentionDecision decision in await RetentionRun.PreviewAsync(repository, Chosen, pipeline.Log, cancellationToken: cancellationToken))
            {
                if (decision.Action == RetentionAction.Remove)
                    await AskAsync(pipeline, decision);
            }
            return;
        }
        var options = new RetentionOptions { MaxRemove = MaxRemove, PurgeVersions = PurgeVersions };
        await using RetentionRun run = await RetentionRun.PrepareAsync(repository, Chosen, options, pipeline.Log, pipeline.Progress, cancellationToken);
        bool isDeclined = false;
        foreach (RetentionDecision decision in run.Decisions.Where(static d => d is { Action: RetentionAction.Remove, Kind: not (RetentionItemKind.Wal or RetentionItemKind.TimelineHistory) }))
        {
            if (await AskAsync(pipeline, decision))
                continue;
            run.Keep(decision, "its removal was declined");
            isDeclined = true;
        }
        if (isDeclined)
            run.Reconsider();
        await foreach (RemovalResult result in run.RemoveBackupsAsync(cancellationToken))
            await WriteAsync(pipeline, result);
        foreach (RetentionDecision decision in run.Decisions.Where(static d => d is { Action: RetentionAction.Remove, Kind: RetentionItemKind.Wal or RetentionItemKind.TimelineHistory }))
        {
            if (await AskAsync(pipeline, decision))
                await WriteAsync(pipeline, await run.RemoveWalAsync(decision, cancellationToken));
        }
        if (PurgeVersions)
            await PurgeAsync(pipeline, run, cancellationToken);
    }

    // What the store's lock holds goes when the lock ends; that is what it is for.
    private static async Task PurgeAsync(IPipeline pipeline, RetentionRun run, CancellationToken cancellationToken)
    {
        try
        {
            long versions = await run.PurgeVersionsAsync(cancellationToken);
            pipeline.Log.Verbose(string.Create(CultureInfo.InvariantCulture, $"{versions} versions of deleted objects were removed."));
        }
        catch (PgBackupException error) when (error.Id == "ObjectLocked")
        {
            pipeline.Log.Warning($"{error.Message} Versions that are locked stay until their lock ends.");
        }
    }

    private static Task<bool> AskAsync(IPipeline pipeline, RetentionDecision decision)
    {
        string what = decision.Kind switch
        {
            RetentionItemKind.Wal => string.Create(CultureInfo.InvariantCulture, $"{decision.Count} WAL segments {decision}"),
            RetentionItemKind.TimelineHistory => $"History file {decision.Name}",
            _ => $"Backup {decision.Name} of {decision.StartTime?.UtcDateTime.ToString("u", CultureInfo.InvariantCulture)}",
        };
        string size = decision.Size is { } bytes ? $" {bytes}" : "";
        return pipeline.ShouldProcessAsync($"{what} in '{decision.Repository}'", $"Remove{size} ({decision.Reason["removed: ".Length..]})");
    }

    private static async Task WriteAsync(IPipeline pipeline, RemovalResult result)
    {
        if (result.Failure is not null)
            await pipeline.WriteErrorAsync(result.Failure);
        await pipeline.WriteObjectAsync(result);
    }
}
