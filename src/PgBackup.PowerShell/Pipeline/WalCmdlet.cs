using PgBackup.Errors;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>
/// A cmdlet whose caller may be PostgreSQL: in a process that was started to run commands, its failure decides the process's exit code,
/// until the same command succeeds on the same subject.
/// </summary>
public abstract class WalCmdlet : PgRepositoryCmdlet
{
    /// <summary>What the cmdlet works on: the name of the WAL file.</summary>
    protected abstract string ExitSubject { get; }

    /// <summary>The exit code for a failure; the catalogue's unless overridden.</summary>
    protected virtual int ExitCodeFor(Exception error) => error is PgBackupException known ? known.ExitCode : ExitCodes.Failed;

    /// <inheritdoc/>
    private protected sealed override void OnSuccess() => ExitCodePolicy.Succeeded(this, ExitSubject);

    /// <inheritdoc/>
    private protected sealed override void OnFailure(Exception error) => ExitCodePolicy.Failed(this, ExitSubject, ExitCodeFor(error));
}
