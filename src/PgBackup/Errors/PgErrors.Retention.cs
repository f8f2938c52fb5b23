namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException RetentionPolicyInvalid(string what, string hint) => new(
        "RetentionPolicyInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration, $"The retention policy cannot be used: {what}.", hint);

    internal static PgBackupException RetentionLimitExceeded(string location, int count, int limit) => new(
        "RetentionLimitExceeded", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The policy would remove {count} backups from the repository '{location}', more than -MaxRemove {limit}; nothing was removed.",
        "Look at what Get-PgBackupRetention says of them, and at the clock. If all of them shall go, give a higher -MaxRemove.", location);

    internal static PgBackupException BackupHasDependents(string name, string dependent, int count, string location) => new(
        "BackupHasDependents", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The backup '{name}' stays: {count} delta{(count == 1 ? "" : "s")} cannot be restored without it, '{dependent}' among them.",
        "Give -IncludeDependent to remove them too, or remove them first.", location);

    internal static PgBackupException UnlockUnderPermanent(string name, string dependent, string location) => new(
        "BackupHasDependents", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The backup '{name}' stays permanent: the permanent delta '{dependent}' rests on it.",
        $"Unlock-PgBackup '{dependent}' first.", location);

    internal static PgBackupException BackupLocked(string name, DateTimeOffset? until, string location) => new(
        "BackupLocked", ErrorKind.PermissionDenied, ExitCodes.Failed,
        $"The backup '{name}' in the repository '{location}' stays: it is {(until is { } time ? $"locked until {time.UtcDateTime:u}" : "permanent")}.",
        $"If it shall go all the same: Unlock-PgBackup '{name}'.", name);

    internal static PgBackupException LastBackup(string name, string group, string location) => new(
        "LastBackup", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The backup '{name}' stays: without it the repository '{location}' would hold no good backup of the {group}.",
        "Take a new backup first, or give -Force.", name);

    internal static PgBackupException RemovalOfUnfinished(string name, string location) => new(
        "BackupUnfinished", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"'{name}' in the repository '{location}' is no backup yet, or none any more: its run goes on, or died.",
        "Wait until the run has ended. What a dead run has left is removed by the next backup, or by Optimize-PgBackupRepository.", name);

    internal static PgBackupException LockInThePast(string name, DateTimeOffset until) => new(
        "LockInThePast", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The backup '{name}' is not locked: {until.UtcDateTime:u} is over.", "Give a later time, or leave -Until out to lock it for good.", name);
}
