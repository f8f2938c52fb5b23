namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException ClientToolMissing(string name, int major, IReadOnlyList<string> found) => new(
        "ClientToolMissing", ErrorKind.ObjectNotFound, ExitCodes.BadConfiguration,
        $"No {name} of PostgreSQL {major} or newer was found: " + (found.Count == 0 ? "there is none on the PATH or where PostgreSQL is usually installed." : $"there is only {string.Join(", ", found)}."),
        $"Install the client tools of PostgreSQL {major} or newer (on Debian: apt install postgresql-client-{major}), or put their folder on the PATH.", name);

    internal static PgBackupException ClientToolFailed(string tool, string reason, Exception? inner = null) => new(
        "ClientToolFailed", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"{tool} failed: {reason}",
        "The message is the program's own. Run the command again with -Verbose to see each line of it.", tool, inner);
}
