namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException DatabaseNotInBackup(string database, string backup, IReadOnlyList<string> known) => new(
        "DatabaseNotInBackup", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"The backup '{backup}' holds no database '{database}'. It holds {Listed(known)}.",
        "Names are case-sensitive. For one that was created or renamed after the backup, give a later backup as -FromCluster, or -WholeCluster, which restores all databases beside.", database);

    internal static PgBackupException DatabaseNotAtTarget(string database, string target, IReadOnlyList<string> known) => new(
        "DatabaseNotFound", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"At the target ({target}) the cluster has no database '{database}'. It has {Listed(known)}.",
        "Give another target, at which the database is there, or another -SourceDatabase.", database);

    internal static PgBackupException TableNotFound(string table, string database, string target, IReadOnlyList<string> similar) => new(
        "TableNotFound", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"At the target ({target}) the database '{database}' has no table '{table}'." + (similar.Count == 0 ? "" : $" Similar ones are {string.Join(", ", similar)}."),
        "Give schema and table as -Table 'app.orders', a name with dots or quotes as 'app.\"my.table\"'; and a target at which the table is there.", table);

    internal static PgBackupException TableAmbiguous(string table, IReadOnlyList<string> candidates) => new(
        "TableAmbiguous", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"'{table}' is in more than one schema: {Listed(candidates)}.", "Give the schema too, as one of these.", table);

    internal static PgBackupException ExtractionOptionsInvalid(string reason, string hint) => new(
        "RestoreOptionsInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration, $"Tables cannot be taken out of a backup so: {reason}", hint);

    internal static PgBackupException TableNameInvalid(string table, string reason) => new(
        "TableNameInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"'{table}' is not the name of a table: {reason}",
        "Give schema and table as -Table 'app.orders', a name with dots or quotes as 'app.\"my.table\"' (a quote within is doubled).", table);

    internal static PgBackupException WorkPathInvalid(string path, string reason, Exception? inner = null) => new(
        "WorkPathInvalid", ErrorKind.ResourceUnavailable, ExitCodes.BadConfiguration,
        $"A cluster cannot be restored beside in '{path}': {reason}",
        "Give a folder in which this account may create folders, and which the account that runs PostgreSQL can reach, as -ScratchDirectory.", path, inner);

    internal static PgBackupException ExtractionSpaceMissing(string path, long needed, long free) => new(
        "InsufficientSpace", ErrorKind.ResourceUnavailable, ExitCodes.Failed,
        $"Restoring beside needs {new ByteSize(needed)} in '{path}', where {new ByteSize(free)} are free.",
        "Free space there, or give a folder on another file system as -ScratchDirectory. A backup nearer to the target (-FromCluster) needs less for the WAL.", path);

    internal static PgBackupException TablespaceCreatedLater(string backup, IReadOnlyList<string> locations) => new(
        "TablespaceCreatedLater", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"Between the backup '{backup}' and the target, tablespaces were created in {Listed(locations)}. A server that replays this would write into those very folders, which may be a running server's.",
        "Give a backup that was taken after that as -FromCluster; or restore the cluster with Restore-PgPointInTime on a machine that has nothing in those folders.", backup);

    internal static PgBackupException ExtractionRecoveryFailed(string backup, string detail, Exception inner) => new(
        "RecoveryFailed", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The server that was started beside from the backup '{backup}' did not reach the target: {detail}",
        "What was restored beside was removed again. Give another backup as -FromCluster, or restore the cluster with Restore-PgPointInTime -Start to look into it.", backup, inner);

    internal static PgBackupException ReplayedPagesMissing(string backup, string database, string detail) => new(
        "BackupDamaged", ErrorKind.InvalidData, ExitCodes.VerificationFailed,
        $"The WAL changes pages of the database '{database}' that the backup '{backup}' does not have: {detail}",
        "The backup or the WAL is damaged; nothing was taken from it. Give another backup as -FromCluster; Test-PgBackupRepository looks for damage.", backup);

    internal static PgBackupException ExtractionRoleMissing(string backup) => new(
        "SourceRoleMissing", ErrorKind.AuthenticationError, ExitCodes.Failed,
        $"The cluster of the backup '{backup}' has no superuser that may log in, as which its tables could be dumped.",
        "Restore the cluster with Restore-PgPointInTime -Start, give a role the rights there, and dump from it with Backup-PgDatabase.", backup);

    private static string Listed(IReadOnlyList<string> names)
    {
        const int Most = 10;
        if (names.Count == 0)
            return "none";
        string text = string.Join(", ", names.Take(Most).Select(static name => $"'{name}'"));
        return names.Count > Most ? $"{text} and {names.Count - Most} more" : text;
    }
}
