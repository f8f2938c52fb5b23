namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException WalNotArchived(string dataDirectory, string first, int count) => new(
        "WalNotArchived", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"'{dataDirectory}' is not changed: its pg_wal holds {(count == 1 ? $"'{first}'" : $"{count} files, '{first}' the first,")} that the repository does not have, and may be the only copy.",
        $"Archive what is there first: Push-PgWal '{Path.Combine(dataDirectory, "pg_wal", first)}'. Or give -Force to lose it.", dataDirectory);
}
