namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException PathNotInFileSystem(string path, Exception? inner) => new(
        "PathNotInFileSystem", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"'{path}' is not a path in a file system.",
        "Give the path of a folder or file, for example /var/backups/pg.", path, inner);
}
