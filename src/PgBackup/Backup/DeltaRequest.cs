using PgBackup.Configuration;
using PgBackup.Errors;

namespace PgBackup.Backup;

/// <summary>Which type of backup is asked for, when parameters and configuration are taken together.</summary>
/// <param name="Type">Full, delta, or whichever is right.</param>
/// <param name="From">The parent's name; null for the newest backup.</param>
/// <param name="MaxSteps">How many deltas may follow a full backup.</param>
/// <param name="Origin">On which backup of the newest chain a delta rests.</param>
public sealed record DeltaRequest(BackupTypeRequest Type, string? From, int MaxSteps, DeltaOrigin Origin)
{
    // With a backup a day: one full backup a week.
    private const int UsualSteps = 6;

    /// <summary>
    /// What is not said comes from the repository's settings. Without a type it is Delta where a parent is named, Auto where a limit above 0 is set (as wal-g does with
    /// WALG_DELTA_MAX_STEPS), else Full. Throws <c>SettingsContradict</c>.
    /// </summary>
    public static DeltaRequest Resolve(RepositorySettings settings, BackupTypeRequest? type, string? from, int? maxSteps, DeltaOrigin? origin)
    {
        int? steps = maxSteps ?? settings.DeltaMaxSteps;
        BackupTypeRequest chosen = type
            ?? (from is not null ? BackupTypeRequest.Delta : steps > 0 ? BackupTypeRequest.Auto : BackupTypeRequest.Full);
        if (from is not null && chosen == BackupTypeRequest.Full)
            throw PgErrors.SettingsContradict(Setting.Parameter("DeltaFrom", from), "-Type Full has no parent.", "Leave out -DeltaFrom, or ask for -Type Delta.");
        return new DeltaRequest(chosen, from, steps ?? UsualSteps, origin ?? settings.DeltaOrigin);
    }
}
