using System.Management.Automation;
using PgBackup.Repository;
using PgBackup.Retention;

namespace PgBackup.PowerShell.Retention;

/// <summary>Gives locked backups back to retention.</summary>
[Cmdlet(VerbsCommon.Unlock, "PgBackup", SupportsShouldProcess = true)]
[OutputType(typeof(ClusterBackup), typeof(DatabaseBackup))]
public sealed class UnlockPgBackupCommand : PgBackupMarkCmdlet
{
    /// <inheritdoc/>
    private protected override string Purpose => "Take off its lock";

    /// <inheritdoc/>
    private protected override async Task<IReadOnlyCollection<string>> ChangeAsync(BackupRepository repository, string name, CancellationToken cancellationToken)
    {
        await BackupMarks.UnlockAsync(repository, name, cancellationToken);
        return [name];
    }
}
