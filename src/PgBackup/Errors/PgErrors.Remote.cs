namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException RemoteBackupDamaged(string server, string what, Exception? inner = null) => new(
        "RemoteBackupDamaged", ErrorKind.InvalidData, ExitCodes.VerificationFailed,
        $"What the server {server} sent is not what it has: {what}.",
        "Nothing was published. Run the backup again; if it fails again, check the network between here and the server, and the server's disk.", server, inner);

    internal static PgBackupException DatabaseMadeAnew(string folder) => new(
        "DatabaseMadeAnew", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The files of the database in '{folder}' are newer than the parent: it was made anew, or the cluster is a copy; what changed in it cannot be told while it comes.",
        "Nothing was published. Take a full backup with -Type Full; -Type Auto does by itself. With summarize_wal = on (PostgreSQL 17 and later) the server tells.", folder);

    internal static PgBackupException TemporaryFileFailed(string folder, Exception inner) => new(
        "TemporaryFileFailed", ErrorKind.WriteError, ExitCodes.Failed,
        $"A temporary file in '{folder}' could not be used: {inner.Message}",
        "A delta by the replication protocol may need 1 GB there: make room, or set TMPDIR to a folder with room.", folder, inner);
}
