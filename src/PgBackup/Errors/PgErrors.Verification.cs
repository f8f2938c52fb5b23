namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException RepositoryCheckFailed(string location, IReadOnlyCollection<string> checks) => new(
        "RepositoryCheckFailed", ErrorKind.InvalidOperation, ExitCodes.VerificationFailed,
        $"The repository '{location}' is not in order: {string.Join(", ", checks)} failed.",
        "Do what the checks that failed recommend, then run Test-PgBackupRepository again.", location);

    internal static PgBackupException ProbesLeft(string message) => new(
        "ProbesLeft", ErrorKind.WriteError, ExitCodes.Failed, message,
        "Run Test-PgBackupRepository again later with an account that may delete: it removes probes that are older than a day.");
}
