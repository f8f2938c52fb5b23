namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException ConfigurationInvalid(string path, int line, string reason, string hint, Exception? inner = null) => new(
        "ConfigurationInvalid", ErrorKind.InvalidData, ExitCodes.BadConfiguration,
        $"The configuration file '{path}'{(line > 0 ? $", line {line}," : "")} cannot be used: {reason}", hint, path, inner);

    internal static PgBackupException ConfigurationHoldsSecret(string path, int line, string name, string instead) => new(
        "ConfigurationHoldsSecret", ErrorKind.InvalidData, ExitCodes.BadConfiguration,
        $"The configuration file '{path}', line {line}, has a secret in plain text: '{name}'. It is not used.", instead, path);

    internal static PgBackupException ConfigurationNotFound(string path, string source) => new(
        "ConfigurationNotFound", ErrorKind.ObjectNotFound, ExitCodes.BadConfiguration,
        $"There is no configuration file '{path}' ({source}).",
        "Check the path, or leave it out to have the file looked for (about_PgBackup_Configuration).", path);

    internal static PgBackupException ConfigurationUnreadable(string path, Exception inner) => new(
        "ConfigurationUnreadable", ErrorKind.ReadError, ExitCodes.BadConfiguration,
        $"The configuration file '{path}' cannot be read: {inner.Message}",
        "Let this account read it, or name another one with -ConfigPath or PGBACKUP_CONFIG (an empty file stands for no configuration).", path, inner);

    internal static PgBackupException ConfigurationNotTrusted(string path, string reason, string hint) => new(
        "ConfigurationNotTrusted", ErrorKind.PermissionDenied, ExitCodes.BadConfiguration,
        $"The configuration file '{path}' is not used: {reason} Whoever writes it decides where backups go.", hint, path);

    internal static PgBackupException RepositoryNameUnknown(string name, string path, string? near) => new(
        "RepositoryNameUnknown", ErrorKind.ObjectNotFound, ExitCodes.BadConfiguration,
        $"There is no repository '{name}' in the configuration file '{path}', and no folder of that name.",
        near is null ? $"Name one of the file's, or write ./{name} for a new folder." : $"Did you mean {near}? Write ./{name} for a new folder.", name);

    internal static PgBackupException LocationAmbiguous(string location, string one, string other, string path) => new(
        "RepositoryAmbiguous", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The configuration file '{path}' has two repositories at '{location}': {one} and {other}.",
        $"Name the one that is meant: -Repository {one}.", location);

    internal static PgBackupException ServerNameUnknown(string name, string? path, string? near) => new(
        "ServerNameUnknown", ErrorKind.ObjectNotFound, ExitCodes.BadConfiguration,
        path is null ? $"PGBACKUP_SERVER is '{name}', but there is no configuration file." : $"There is no server '{name}' (PGBACKUP_SERVER) in the configuration file '{path}'.",
        near is null ? "Name one of the file's, or remove PGBACKUP_SERVER." : $"Did you mean {near}?", name);
}
