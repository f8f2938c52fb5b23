namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException CopyInProgress(string location, string backup, string host, int process, DateTimeOffset since) => new(
        "CopyInProgress", ErrorKind.ResourceBusy, ExitCodes.Locked,
        $"Another copy ({backup}) into the repository '{location}' has been running since {since:u} on host {host}, process {process}.",
        "Wait until it has ended. If that host or process is gone for good, its claim lapses by itself ten minutes after its last sign of life.", location);

    internal static PgBackupException CopyOntoItself(string location) => new(
        "CopyOntoItself", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"'{location}' is the source and the destination of the copy.",
        "Give another repository as -Destination.", location);

    internal static PgBackupException CopySpaceInsufficient(string location, long needed, long free) => new(
        "InsufficientSpace", ErrorKind.ResourceUnavailable, ExitCodes.Failed,
        $"The copy needs {new ByteSize(needed)} in the repository '{location}', where {new ByteSize(free)} are free; nothing was copied.",
        "Free space there, copy fewer backups (-Name), or leave -WithHistory out.", location);

    internal static PgBackupException CopyIdentityMismatch(string location, ulong cluster, ulong recorded) => new(
        "ClusterIdentityMismatch", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The repository '{location}' belongs to the cluster with system identifier {recorded}, but the backups are of the cluster {cluster}.",
        "Copy into another repository. If that repository shall hold both (the cluster was made anew by pg_upgrade or initdb), give -NewLineage.", cluster);

    internal static PgBackupException CopyEncryptionMismatch(string location, string source, string target) => new(
        "EncryptionMismatch", ErrorKind.SecurityError, ExitCodes.WrongKey,
        $"The backups are {source}, but the repository '{location}' is {target}; objects are copied as they are, and no reader could read both.",
        "Copy into an empty repository, or into one with the same key.", location);

    internal static PgBackupException CopyEncryptionUnproven(string source, string target) => new(
        "EncryptionMismatch", ErrorKind.SecurityError, ExitCodes.WrongKey,
        $"The repositories '{source}' and '{target}' are both encrypted, but whether with the same key cannot be seen without it.",
        "Give the key (-EncryptionKey or WALG_LIBSODIUM_KEY_PATH), which is then tried on both; or copy into an empty repository.", target);

    internal static PgBackupException CopyWalMissing(string location, string segment, string backup) => new(
        "WalGapDetected", ErrorKind.InvalidData, ExitCodes.NothingFound,
        $"The backup '{backup}' is not copied: the WAL segment {segment}, without which it cannot be restored, is missing or cut short in the repository '{location}'.",
        "Bring the segment back (Push-PgWal, from pg_wal of a server that still has it), or copy another backup.", segment);

    internal static PgBackupException CopyWalConflict(string source, string target, string key, string targetKey) => new(
        "WalContentConflict", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The repository '{target}' holds '{targetKey}' with other content than '{key}' in '{source}'; nothing was changed.",
        "Two histories of one cluster cannot lie in one repository. Copy into another one.", key);

    internal static PgBackupException CopyWalIncomparable(string source, string target, string key, string targetKey, Exception inner) => new(
        "WalContentConflict", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The repository '{target}' holds '{targetKey}', and '{key}' in '{source}' is stored otherwise; whether they hold the same cannot be seen: {inner.Message}",
        "Give the key of the repositories (-EncryptionKey or WALG_LIBSODIUM_KEY_PATH), with which both are compared; if one is damaged, remove it.", key, inner);

    internal static PgBackupException CopyNameTaken(string name, string location) => new(
        "BackupNameTaken", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The repository '{location}' holds another backup named '{name}'; it is left as it is.",
        "Two histories of one cluster cannot lie in one repository. Copy into another one, or remove the backup there first.", name);

    internal static PgBackupException CopyNameBusy(string name, string location, string host, int process) => new(
        "BackupInProgress", ErrorKind.ResourceBusy, ExitCodes.Locked,
        $"A backup named '{name}' is being written into the repository '{location}' (host {host}, process {process}).",
        "Wait until it has ended, then run the copy again.", name);

    internal static PgBackupException CopyParentMissing(string name, string parent, string location) => new(
        "ChainBroken", ErrorKind.InvalidData, ExitCodes.Partial,
        $"The backup '{name}' is not copied into '{location}': its parent '{parent}' could not be.",
        "See the error on the parent; when it is mended, run the copy again.", name);

    internal static PgBackupException CopySourceChanged(string location, string key, string what) => new(
        "ObjectChanged", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The object '{key}' in the repository '{location}' changed while it was copied: {what}",
        "Nothing unfinished is listed in the destination. See who writes to or deletes from the source, then run the copy again; it goes on where it stood.", key);

    internal static PgBackupException CopyNotConfirmed(string location, string key, string what) => new(
        "CopyNotConfirmed", ErrorKind.WriteError, ExitCodes.VerificationFailed,
        $"'{key}' was copied into the repository '{location}', but {what}",
        "Check the destination's disk or store and who else deletes there, then run the copy again; it copies what is missing.", key);
}
