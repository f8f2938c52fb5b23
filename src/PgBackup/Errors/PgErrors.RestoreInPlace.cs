namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException WalNotArchived(string dataDirectory, string first, int count) => new(
        "WalNotArchived", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"'{dataDirectory}' is not changed: its pg_wal holds {(count == 1 ? $"'{first}'" : $"{count} files, '{first}' the first,")} that the repository does not have, and may be the only copy.",
        $"Archive what is there first: Push-PgWal '{Path.Combine(dataDirectory, "pg_wal", first)}'. Or give -Force to lose it.", dataDirectory);

    internal static PgBackupException TablespaceInUse(string source, string target, string dataDirectory) => new(
        "TablespaceInUse", ErrorKind.ResourceBusy, ExitCodes.Failed,
        $"The folder '{target}' is a tablespace of the server that runs on '{dataDirectory}': it is not written to, even with -Force.",
        $"Say where the tablespace shall lie: -TablespaceMapping '{source}=/path/to/an/empty/folder'. A copy of a data directory has the original's links.", target);

    internal static PgBackupException ReplayedTablespaceInUse(string backup, string location, string dataDirectory) => new(
        "TablespaceInUse", ErrorKind.ResourceBusy, ExitCodes.Failed,
        $"Between the backup '{backup}' and the target a tablespace was created in '{location}', which is a tablespace of the server that runs on '{dataDirectory}': a server that replays this would write into it.",
        "Take a backup that was made after that (-Name), an earlier target, or restore on a machine that has nothing there. Stop that server only if its data may be overwritten.", location);

    internal static PgBackupException DestinationHoldsRepository(string path, string repository) => new(
        "DestinationHoldsRepository", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"'{path}' is not restored to: it is, holds, or lies in the repository '{repository}'.",
        "Give a folder apart from the repository as -DataDirectory and in -TablespaceMapping.", path);
}
