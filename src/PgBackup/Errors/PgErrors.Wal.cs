namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException WalFileNameInvalid(string name) => new(
        "WalFileNameInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"'{name.ReplaceLineEndings("\\n")}' is not the name of a WAL file.",
        "Name a segment (24 upper-case hexadecimal digits), NNNNNNNN.history, a .backup or a .partial file, as they are in pg_wal.", name);

    internal static PgBackupException WalFileUnreadable(string path, Exception inner) => new(
        "WalFileUnreadable", inner is FileNotFoundException or DirectoryNotFoundException ? ErrorKind.ObjectNotFound : ErrorKind.ReadError, ExitCodes.Failed,
        $"The WAL file '{path}' cannot be read: {inner.Message}",
        "Check the path (archive_command's %p is relative to the data directory) and that this account may read it.", path, inner);

    internal static PgBackupException WalFileInvalid(string origin, string reason) => new(
        "WalFileInvalid", ErrorKind.InvalidData, ExitCodes.VerificationFailed,
        $"'{origin}' is not the WAL file that its name says: {reason}",
        "Do not archive or replay it. Compare with pg_waldump; if it lies in a running server's pg_wal, check the disk and take a new full backup.", origin);

    internal static PgBackupException WalFileChanged(string path) => new(
        "WalFileChanged", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The WAL file '{path}' changed while it was read.",
        "Push only files that the server has finished (it marks them .ready); then run the command again.", path);

    internal static PgBackupException WalPiecesDiffer(string location, string name, Lsn position) => new(
        "WalContentConflict", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The repository '{location}' holds other content for the WAL segment {name} in pieces, around {position}; nothing was changed.",
        "Two servers write the same timeline: one was restored or copied and went on without a new one. Find out which one may archive here; give the other a repository of its own.", name);

    internal static PgBackupException WalContentConflict(string location, string name, string key) => new(
        "WalContentConflict", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The repository '{location}' holds '{key}' already, with other content than the WAL file '{name}' that was to be stored; nothing was changed.",
        "Two servers archive into one repository, or one was restored and went on without a new timeline. Find out which one may archive here; give the other a repository of its own.",
        name);

    internal static PgBackupException WalSegmentNotFound(string location, string name) => new(
        "WalSegmentNotFound", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"The WAL file '{name}' is not in the repository '{location}'.",
        "At the end of the archived WAL this is normal. Otherwise see with Get-PgWalArchiveStatus whether the server archives here.", name);

    internal static PgBackupException WalObjectForeign(string location, string name, ulong cluster) => new(
        "ClusterIdentityMismatch", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The WAL file '{name}' in the repository '{location}' was written by the cluster {cluster}, to which the repository does not belong.",
        "Find out who archives here; restore from the repository of the right cluster.", name);

    internal static PgBackupException WalWriteNotConfirmed(string location, string key) => new(
        "WalWriteNotConfirmed", ErrorKind.WriteError, ExitCodes.VerificationFailed,
        $"'{key}' was written to the repository '{location}', but what is read back is not what was written.",
        "Check the repository's disk and this machine's memory. The next push of the same file replaces the object.", key);

    internal static PgBackupException WalDestinationUnwritable(string path, Exception inner) => new(
        "WalDestinationUnwritable", ErrorKind.WriteError, ExitCodes.Failed,
        $"The WAL file cannot be written to '{path}': {inner.Message}",
        "Check that the folder exists, that this account may write there, and that the disk has room; nothing half-written was left.", path, inner);

    internal static PgBackupException NoFilesMatch(string pattern) => new(
        "NoFilesMatch", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"No file matches '{pattern}'.",
        "Check the pattern; a file with wildcard characters in its name is given as -LiteralPath.", pattern);
}
