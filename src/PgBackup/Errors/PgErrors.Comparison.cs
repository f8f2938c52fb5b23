namespace PgBackup.Errors;

public static partial class PgErrors
{
    /// <summary>The error of a dump that was not proven: <c>VerificationFailed</c> when what it restores to is not what was dumped, <c>DumpNotVerified</c> when that could not be found out.</summary>
    /// <param name="dump">The backup's name or the file's path.</param>
    /// <param name="database">The database that was dumped.</param>
    /// <param name="verification">The finding.</param>
    public static PgBackupException DumpUnproven(string dump, string database, DumpVerification verification) => verification.Status == DumpVerificationStatus.Different
        ? new PgBackupException(
            "VerificationFailed", ErrorKind.InvalidData, ExitCodes.VerificationFailed,
            $"The dump '{dump}' of '{database}' does not restore to what was dumped: {verification.Problem}.",
            "The property Verification.Differences of the backup lists what differs. The dump is stored; do not rely on it before you have restored it by hand (Restore-PgDatabase) and looked.", dump, verification.Failure)
        : new PgBackupException(
            "DumpNotVerified", verification.Failure?.Kind ?? ErrorKind.InvalidOperation, verification.Failure?.ExitCode ?? ExitCodes.Failed,
            $"The dump '{dump}' of '{database}' is stored, but it could not be verified: {verification.Problem}",
            $"The dump may be good. {verification.Failure?.Hint}", dump, verification.Failure);

    internal static PgBackupException VerifyServerUnfit(string server, string reason, string hint) => new(
        "VerifyServerUnfit", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"A dump cannot be verified on the server {server}: {reason}", $"Nothing was dumped. {hint}", server);
}
