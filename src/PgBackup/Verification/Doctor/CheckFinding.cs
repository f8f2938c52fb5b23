using PgBackup.Errors;

namespace PgBackup.Verification.Doctor;

/// <summary>What a check found; the doctor makes a <see cref="RepositoryCheck"/> of it.</summary>
internal sealed record CheckFinding(CheckStatus Status, string Message, string? Recommendation = null)
{
    /// <summary>The check that this is a finding of, where another one came upon it; null for the check itself.</summary>
    public RepositoryCheckName? Of { get; init; }

    public static CheckFinding Passed(string message) => new(CheckStatus.Passed, message);

    public static CheckFinding Warning(string message, string recommendation) => new(CheckStatus.Warning, message, recommendation);

    public static CheckFinding Failed(string message, string recommendation) => new(CheckStatus.Failed, message, recommendation);

    public static CheckFinding Failed(PgBackupException error) => new(CheckStatus.Failed, error.Message, error.Hint);

    public static CheckFinding Skipped(string reason) => new(CheckStatus.Skipped, reason);
}
