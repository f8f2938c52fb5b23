using System.Management.Automation;
using PgBackup.PowerShell.Parameters;
using PgBackup.Repository;
using PgBackup.Retention;

namespace PgBackup.PowerShell.Retention;

/// <summary>Keeps backups from retention, for good or until a time.</summary>
[Cmdlet(VerbsCommon.Lock, "PgBackup", SupportsShouldProcess = true)]
[OutputType(typeof(ClusterBackup), typeof(DatabaseBackup))]
public sealed class LockPgBackupCommand : PgBackupMarkCmdlet
{
    /// <summary>When the lock ends by itself; without it the backup is permanent.</summary>
    [Parameter]
    [TargetTimeTransform]
    public DateTimeOffset? Until { get; set; }

    /// <inheritdoc/>
    private protected override string Purpose => Until is { } time ? $"Lock until {time.UtcDateTime:u}" : "Make it and its chain permanent";

    /// <inheritdoc/>
    private protected override async Task<IReadOnlyCollection<string>> ChangeAsync(BackupRepository repository, string name, CancellationToken cancellationToken) =>
        await BackupMarks.LockAsync(repository, name, Until, cancellationToken);
}
