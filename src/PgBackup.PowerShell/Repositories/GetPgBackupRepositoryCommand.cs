using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Repository;
using PgBackup.Verification.Survey;

namespace PgBackup.PowerShell.Repositories;

/// <summary>Sums up what a repository holds.</summary>
[Cmdlet(VerbsCommon.Get, "PgBackupRepository")]
[OutputType(typeof(RepositorySummary))]
public sealed class GetPgBackupRepositoryCommand : PgRepositoryCmdlet
{
    private RepositorySettings _settings = null!;

    /// <inheritdoc/>
    protected override void Prepare() => _settings = ResolveRepository();

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken) =>
        await pipeline.WriteObjectAsync(await RepositorySurvey.RunAsync(BackupRepository.Open(_settings), pipeline.Progress, cancellationToken));
}
