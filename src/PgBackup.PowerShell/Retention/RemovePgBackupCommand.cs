using System.Globalization;
using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Retention;
using PgBackup.Retention.Removal;

namespace PgBackup.PowerShell.Retention;

/// <summary>Removes backups by their names.</summary>
[Cmdlet(VerbsCommon.Remove, "PgBackup", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(RemovalResult))]
public sealed class RemovePgBackupCommand : PgRepositoryCmdlet
{
    private readonly List<(RepositorySettings Settings, HashSet<string> Names)> _requests = [];
    private bool _isWhatIf;

    /// <summary>The names.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("BackupName")]
    [ValidateNotNullOrEmpty]
    public string[] Name { get; set; } = null!;

    /// <summary>Removes the deltas on them too.</summary>
    [Parameter]
    public SwitchParameter IncludeDependent { get; set; }

    /// <summary>Removes also the last good backup of a cluster or a database.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override TimeSpan StopGrace => TimeSpan.FromMinutes(2);

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _isWhatIf = this.IsWhatIf();
        RepositorySettings settings = ResolveRepository();
        int place = _requests.FindIndex(r => r.Settings.Location == settings.Location);
        if (place < 0)
        {
            place = _requests.Count;
            _requests.Add((settings, new HashSet<string>(StringComparer.Ordinal)));
        }
        _requests[place].Names.UnionWith(Name);
    }

    /// <inheritdoc/>
    protected override async Task EndAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        foreach ((RepositorySettings settings, HashSet<string> names) in _requests)
        {
            await using NamedRemoval removal = await NamedRemoval.PrepareAsync(
                BackupRepository.Open(settings), names, IncludeDependent, Force, _isWhatIf, pipeline.Log, pipeline.Progress, cancellationToken);
            foreach (PgBackupException refused in removal.Refused)
                await pipeline.WriteErrorAsync(refused);
            foreach (RetentionBackup backup in removal.Backups.ToArray())
            {
                string time = backup.StartTime?.UtcDateTime.ToString("u", CultureInfo.InvariantCulture) ?? "an unknown time";
                if (!await pipeline.ShouldProcessAsync($"Backup {backup.Name} of {time} in '{settings.Location}'", backup.Size is { } size ? $"Remove {new ByteSize(size)}" : "Remove"))
                    removal.Keep(backup);
            }
            if (_isWhatIf || removal.Backups.Count == 0)
                continue;
            await foreach (RemovalResult result in removal.RunAsync(cancellationToken))
            {
                if (result.Failure is not null)
                    await pipeline.WriteErrorAsync(result.Failure);
                await pipeline.WriteObjectAsync(result);
            }
        }
    }
}
