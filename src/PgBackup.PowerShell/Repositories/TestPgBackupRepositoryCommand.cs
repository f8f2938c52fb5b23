using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.PowerShell.Pipeline;
using PgBackup.Verification.Doctor;

namespace PgBackup.PowerShell.Repositories;

/// <summary>Tries everything that backups and restores need of a repository, and looks for what is amiss in it.</summary>
[Cmdlet(VerbsDiagnostic.Test, "PgBackupRepository")]
[OutputType(typeof(RepositoryCheck), typeof(bool))]
public sealed class TestPgBackupRepositoryCommand : PgRepositoryCmdlet
{
    private readonly List<string> _failed = [];
    private RepositorySettings _settings = null!;

    /// <summary>Only these checks.</summary>
    [Parameter(Position = 0)]
    [ValidateNotNullOrEmpty]
    public RepositoryCheckName[]? Check { get; set; }

    /// <summary>Not these checks.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public RepositoryCheckName[]? ExcludeCheck { get; set; }

    /// <summary>Leaves out all that writes.</summary>
    [Parameter]
    public SwitchParameter SkipWrite { get; set; }

    /// <summary>Writes only whether no check failed.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _failed.Clear();
        _settings = ResolveRepository();
    }

    /// <inheritdoc/>
    protected override async Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken)
    {
        var doctor = new RepositoryDoctor(_settings, new DoctorOptions { Only = Check, Except = ExcludeCheck ?? [], SkipWrite = SkipWrite }, pipeline.Log);
        await foreach (RepositoryCheck check in doctor.RunAsync(cancellationToken))
        {
            if (check.Status == CheckStatus.Failed)
                _failed.Add(check.Name.ToString());
            if (!Quiet)
                await pipeline.WriteObjectAsync(check);
        }
        if (Quiet)
            await pipeline.WriteObjectAsync(_failed.Count == 0);
        else if (_failed.Count > 0)
            await pipeline.WriteErrorAsync(PgErrors.RepositoryCheckFailed(_settings.Location, _failed));
    }

    /// <inheritdoc/>
    private protected override void OnSuccess()
    {
        if (_failed.Count == 0)
            ExitCodePolicy.Succeeded(this, _settings.Location);
        else if (!Quiet)
            ExitCodePolicy.Failed(this, _settings.Location, ExitCodes.VerificationFailed);
    }

    // With -ErrorAction Stop the checks' error ends the pipeline.
    private protected override void OnFailure(Exception error) => ExitCodePolicy.Failed(
        this, _settings?.Location ?? "", error is PgBackupException known ? known.ExitCode : _failed.Count > 0 ? ExitCodes.VerificationFailed : ExitCodes.Failed);
}
