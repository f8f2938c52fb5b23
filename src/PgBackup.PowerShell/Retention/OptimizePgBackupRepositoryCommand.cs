using System.Globalization;
using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.PowerShell.Parameters;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Retention.Garbage;

namespace PgBackup.PowerShell.Retention;

/// <summary>Removes what nothing in a repository needs: leavings of runs that died, and WAL from which no backup leads on.</summary>
[Cmdlet(VerbsCommon.Optimize, "PgBackupRepository", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(GarbageItem))]
public sealed class OptimizePgBackupRepositoryCommand : PgRepositoryCmdlet
{
    private RepositorySettings _settings = null!;
    private bool _isWhatIf;

    /// <summary>Younger things are left alone; a day when it is not given.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan OlderThan { get; set; } = RepositoryCleaning.DefaultAge;

    /// <inheritdoc/>
    protected override TimeSpan StopGrace => TimeSpan.FromMinutes(2);

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _settings = ResolveRepository();
        _isWhatIf = this.IsWhatIf();
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        await using RepositoryCleaning cleaning = await RepositoryCleaning.PrepareAsync(BackupRepository.Open(_settings), OlderThan, _isWhatIf, pipeline.Log, cancellationToken);
        foreach (GarbageItem item in cleaning.Items)
        {
            string size = item.Size.Bytes > 0 ? $", {item.Size}" : "";
            if (!await pipeline.ShouldProcessAsync($"{item.Kind} {item} in '{item.Repository}'", string.Create(CultureInfo.InvariantCulture, $"Remove {item.ObjectCount} objects{size} ({item.Reason})")))
                continue;
            try
            {
                await pipeline.WriteObjectAsync(await cleaning.RemoveAsync(item, cancellationToken));
            }
            catch (PgBackupException error) when (error.Id is "ObjectLocked" or "StorageAccessDenied" or "StorageDeletionIncomplete")
            {
                await pipeline.WriteErrorAsync(error);
                await pipeline.WriteObjectAsync(item);
            }
        }
    }
}
