using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Restore.Planning;

namespace PgBackup.PowerShell.Restores;

/// <summary>Tells from when to when a cluster can be brought back.</summary>
[Cmdlet(VerbsCommon.Get, "PgRecoveryWindow")]
[OutputType(typeof(RecoveryWindow))]
public sealed class GetPgRecoveryWindowCommand : PgRepositoryCmdlet
{
    private RepositorySettings _settings = null!;

    /// <inheritdoc/>
    protected override void Prepare() => _settings = ResolveRepository();

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        IReadOnlyList<RecoveryWindow> windows = await RecoveryWindowFinder.FindAsync(BackupRepository.Open(_settings), pipeline.Log, pipeline.Progress, cancellationToken);
        foreach (RecoveryWindow window in windows)
            await pipeline.WriteObjectAsync(window);
    }
}
