using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;

namespace PgBackup.PowerShell.Retention;

/// <summary>A cmdlet that changes what keeps single backups from retention.</summary>
public abstract class PgBackupMarkCmdlet : PgRepositoryCmdlet
{
    private RepositorySettings _settings = null!;

    /// <summary>The names.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("BackupName")]
    [ValidateNotNullOrEmpty]
    public string[] Name { get; set; } = null!;

    /// <summary>Writes the changed backups.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void Prepare() => _settings = ResolveRepository();

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        var repository = BackupRepository.Open(_settings);
        foreach (string name in Name)
        {
            try
            {
                if (await pipeline.ShouldProcessAsync($"Backup {name} of '{repository.Location}'", Purpose))
                {
                    IReadOnlyCollection<string> changed = await ChangeAsync(repository, name, cancellationToken);
                    if (PassThru)
                        await WriteAsync(pipeline, repository, changed, cancellationToken);
                }
            }
            catch (PgBackupException error) when (error.Id is "BackupNotFound" or "BackupHasDependents" or "ObjectNotFound" or "DocumentInvalid")
            {
                await pipeline.WriteErrorAsync(error);
            }
        }
    }

    /// <summary>What is done, for the question.</summary>
    private protected abstract string Purpose { get; }

    /// <summary>Does it; returns the names of all that changed.</summary>
    private protected abstract Task<IReadOnlyCollection<string>> ChangeAsync(BackupRepository repository, string name, CancellationToken cancellationToken);

    private static async Task WriteAsync(IPipeline pipeline, BackupRepository repository, IReadOnlyCollection<string> names, CancellationToken cancellationToken)
    {
        foreach (ClusterBackup backup in (await BackupCatalog.ListAsync(repository, cancellationToken)).Where(b => names.Contains(b.Name)))
            await pipeline.WriteObjectAsync(backup);
        foreach (DatabaseBackup backup in (await DumpCatalog.ListAsync(repository, cancellationToken)).Where(b => names.Contains(b.Name)))
            await pipeline.WriteObjectAsync(backup);
    }
}
