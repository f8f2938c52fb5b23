using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Wal.Fetch;

namespace PgBackup.PowerShell.Wal;

/// <summary>
/// Takes a WAL file out of the repository. In a process that was started to run commands, the exit code is what PostgreSQL expects of a
/// restore_command: 1 when the file is not there, 126 for anything else.
/// </summary>
[Cmdlet(VerbsData.Restore, "PgWal")]
[OutputType(typeof(WalFetchResult))]
public sealed class RestorePgWalCommand : WalCmdlet
{
    private RepositorySettings _settings = null!;
    private string _destination = "";
    private bool _standby;

    /// <summary>The file's name, as PostgreSQL's %f has it.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    /// <summary>The file to write, as PostgreSQL's %p has it, or a folder to put it into; what is there is replaced.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? Destination { get; set; }

    /// <inheritdoc/>
    protected override string ExitSubject => Name ?? "";

    /// <inheritdoc/>
    protected override int ExitCodeFor(Exception error) => error switch
    {
        PgBackupException known => RestoreCommand.ExitCodeOf(known, _standby),
        PipelineStoppedException => ExitCodes.Interrupted,
        _ => RestoreCommand.Stop,
    };

    /// <inheritdoc/>
    protected override void Prepare()
    {
        // PostgreSQL runs a restore_command in its data directory.
        _standby = RestoreCommand.IsStandby(SessionState.Path.CurrentFileSystemLocation.ProviderPath);
        _settings = ResolveRepository();
        _destination = ResolveFolder(Destination!);
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        try
        {
            await pipeline.WriteObjectAsync(await RestoreCommand.FetchAsync(BackupRepository.Open(_settings), Name!, _destination, pipeline.Log, cancellationToken));
        }
        catch (PgBackupException error)
        {
            // For the entry script, which cannot ask the cmdlet.
            error.Data["RestoreCommandExitCode"] = ExitCodeFor(error);
            throw;
        }
    }
}
