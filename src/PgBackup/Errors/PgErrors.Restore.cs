namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException BackupDamaged(string location, string backup, string detail, Exception? inner = null) => new(
        "BackupDamaged", ErrorKind.InvalidData, ExitCodes.VerificationFailed,
        $"The backup '{backup}' in the repository '{location}' is damaged: {detail}",
        "Restore another backup: list them with Get-PgBackup and give one as -Name; an older one reaches the same target when the WAL in between is there.",
        backup, inner);

    internal static PgBackupException ChainBroken(string location, string backup, string detail) => new(
        "ChainBroken", ErrorKind.InvalidData, ExitCodes.VerificationFailed,
        $"The backup '{backup}' in the repository '{location}' cannot be restored, its chain is broken: {detail}",
        "Restore another backup: list them with Get-PgBackup and give a full one as -Name.", backup);

    internal static PgBackupException ObjectMissing(string location, string backup, string key) => new(
        "ObjectMissing", ErrorKind.ObjectNotFound, ExitCodes.VerificationFailed,
        $"The backup '{backup}' in the repository '{location}' is incomplete: the object '{key}' is missing.",
        "Bring the object back from a copy of the repository, or restore another backup (Get-PgBackup lists them, -Name takes one).", key);

    internal static PgBackupException MemberNameInvalid(string location, string backup, string member) => new(
        "MemberNameInvalid", ErrorKind.SecurityError, ExitCodes.VerificationFailed,
        $"The backup '{backup}' in the repository '{location}' holds a file named '{member}', which would lie outside of the data directory.",
        "Do not use this backup before you know who wrote it; no PostgreSQL cluster has such a file.", member);

    internal static PgBackupException RestoreWriteFailed(string path, Exception inner) => new(
        "RestoreWriteFailed", ErrorKind.WriteError, ExitCodes.Failed,
        $"Writing '{path}' failed: {inner.Message}",
        "Check the free space and the rights there; then run the restore again with -Force, which clears away what this one has left, or with -Delta, which keeps what is right of it.", path, inner);

    internal static PgBackupException DestinationNotEmpty(string path) => new(
        "DestinationNotEmpty", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The destination '{path}' is not empty.",
        "Give another folder as -DataDirectory, -Force to replace a data directory of the same cluster that no server runs on, or -Delta to change it in place.", path);

    internal static PgBackupException DestinationNotReplaceable(string path, string reason) => new(
        "DestinationNotReplaceable", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The destination '{path}' is not replaced, even with -Force: {reason}",
        "Give another folder as -DataDirectory, or move this one away yourself.", path);

    internal static PgBackupException DestinationInUse(string path, int process) => new(
        "DestinationInUse", ErrorKind.ResourceBusy, ExitCodes.Failed,
        $"A server (process {process}) runs on the destination '{path}'.",
        "Stop it (pg_ctl stop -D), or give -StopServer to have it stopped, set aside and replaced; with -Delta it is stopped, and its files changed in place.", path);

    internal static PgBackupException InsufficientSpace(string path, long needed, long free) => new(
        "InsufficientSpace", ErrorKind.ResourceUnavailable, ExitCodes.Failed,
        $"The restore needs {new ByteSize(needed)} in '{path}', where {new ByteSize(free)} are free.",
        "Free space there, or give a folder on another file system as -DataDirectory or in -TablespaceMapping.", path);

    internal static PgBackupException TablespaceMappingRequired(uint oid, string location, string reason) => new(
        "TablespaceMappingRequired", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The tablespace {oid} lay in '{location}', and {reason}.",
        $"Say where it shall lie: -TablespaceMapping '{location}=/path/to/an/empty/folder'.", location);

    internal static PgBackupException TablespaceMappingInvalid(string mapping, string reason) => new(
        "TablespaceMappingInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The tablespace mapping '{mapping}' cannot be used: {reason}",
        "Give the old and the new absolute path: -TablespaceMapping '/old/path=/new/path', or @{ '/old/path' = '/new/path' }; Get-PgRestorePlan shows the old ones.", mapping);

    internal static PgBackupException OwnerInvalid(string owner, string reason) => new(
        "OwnerInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The files cannot be given to '{owner}': {reason}",
        "Give the account that shall run the server as -Owner, for example -Owner postgres.", owner);

    internal static PgBackupException TargetNotReachable(string target, string reason, string hint) => new(
        "TargetNotReachable", ErrorKind.InvalidArgument, ExitCodes.NothingFound,
        $"The target ({target}) cannot be reached: {reason}", hint, target);

    internal static PgBackupException WalGapDetected(string location, string segment, string target, string hint) => new(
        "WalGapDetected", ErrorKind.InvalidData, ExitCodes.NothingFound,
        $"The target ({target}) cannot be reached: the WAL segment {segment} is missing in the repository '{location}'.", hint, segment);

    internal static PgBackupException WalDamaged(string location, string segment, string detail) => new(
        "WalDamaged", ErrorKind.InvalidData, ExitCodes.VerificationFailed,
        $"The WAL segment {segment} in the repository '{location}' is damaged: {detail}",
        "Bring the segment back from a copy of the repository or from pg_wal of a server that still has it (Push-PgWal).", segment);

    internal static PgBackupException TargetInvalid(string reason) => new(
        "TargetInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The target cannot be used: {reason}",
        "Give one of -TargetTime, -TargetLsn, -TargetXid, -TargetName, -Immediate and -Latest; -Exclusive goes with time, LSN and transaction id only.");

    internal static PgBackupException ServerProgramsMissing(int? major, string searched) => new(
        "ToolMissing", ErrorKind.NotInstalled, ExitCodes.Failed,
        $"The programs of PostgreSQL {major} (pg_ctl, postgres) were not found. Searched: {searched}.",
        $"Install them (Debian: the package postgresql-{major}), or put their folder on PATH. Without -Start the restore itself needs none of them.", "pg_ctl");

    internal static PgBackupException ServerStopFailed(string dataDirectory, string detail) => new(
        "ServerStopFailed", ErrorKind.OperationTimeout, ExitCodes.Failed,
        $"The server on '{dataDirectory}' could not be stopped: {detail}",
        "Stop it yourself, then run the restore again with -Force. Nothing was changed.", dataDirectory);

    internal static PgBackupException RecoveryFailed(string dataDirectory, string detail, string hint) => new(
        "RecoveryFailed", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The files are restored in '{dataDirectory}', but the server did not reach the target: {detail}", hint, dataDirectory);

    internal static PgBackupException RecoveryTimedOut(string dataDirectory, TimeSpan after, string reached, string log) => new(
        "OperationTimeout", ErrorKind.OperationTimeout, ExitCodes.Failed,
        $"The server on '{dataDirectory}' had not reached the target after {after:c}; {reached}. It was stopped.",
        $"Start it again with pg_ctl, recovery goes on where it stood; or give a longer -Timeout. Its log is '{log}'.", dataDirectory);
}
