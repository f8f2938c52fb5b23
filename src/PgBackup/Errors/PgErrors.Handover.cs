namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException CommandFileUnreadable(string what, string path, string account) => new(
        "CommandFileUnreadable", ErrorKind.PermissionDenied, ExitCodes.BadConfiguration,
        $"The server's account {account} cannot read {what} '{path}', which archive_command and restore_command need.",
        $"Let {account} read it, with the folders above it, or name another file with -ConfigPath.", path);

    internal static PgBackupException CommandFileNotWritten(string path, Exception inner) => new(
        "CommandFileNotWritten", ErrorKind.WriteError, ExitCodes.Failed,
        $"The file '{path}' for the server's commands cannot be written: {inner.Message}",
        "Run this as root or as the server's account, or give -ServerConfigPath with another place.", path, inner);

    internal static PgBackupException CommandFileInTheWay(string path) => new(
        "CommandFileInTheWay", ErrorKind.ResourceExists, ExitCodes.BadConfiguration,
        $"The file '{path}' has other content and is not replaced.",
        "Remove it if no server uses it any more, put the repository into it yourself and name it with -ConfigPath, or give -ServerConfigPath with another place.", path);

    internal static PgBackupException CommandAccountOther(string account) => new(
        "CommandFileNotWritten", ErrorKind.PermissionDenied, ExitCodes.BadConfiguration,
        $"The server runs as {account}, and this account may write no configuration for it.",
        $"Run this as root or as {account}; or name with -ConfigPath a configuration file that {account} can read and that names the repository.", account);

    internal static PgBackupException CommandAccountUnknown(string server) => new(
        "CommandAccountUnknown", ErrorKind.InvalidOperation, ExitCodes.BadConfiguration,
        $"The data directory of the server {server} is not to be seen here, so the account that runs its commands is not known.",
        "Run this on the server's own host, as a role that may see data_directory (pg_read_all_settings).", server);

    internal static PgBackupException TemporaryCredential() => new(
        "TemporaryCredential", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        "The store's credential is a temporary one (it has a session token), and would expire under the server's archive_command and restore_command.",
        "Give a lasting access key, a profile of a credentials file that the server's account can read, or let the host's own role be used.");

    internal static PgBackupException ProfileNotInFile(string profile, string path) => new(
        "CommandProfileUnusable", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The profile '{profile}' is not in the credentials file '{path}', so the server's account cannot be referred to it.",
        "Put its access key into a credentials file that the server's account can read and name that as credentialsFile: in the configuration file; or give -StorageCredential.", profile);
}
