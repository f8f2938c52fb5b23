namespace PgBackup.Errors;

/// <summary>The catalogue of errors, a file for each topic; every failure that users see is made here.</summary>
public static partial class PgErrors
{
    internal static PgBackupException RepositoryNotFound(string location) => new(
        "RepositoryNotFound", ErrorKind.ObjectNotFound, ExitCodes.RepositoryMissing,
        $"The repository '{location}' does not exist.",
        "Check the path given as -Repository or in WALG_FILE_PREFIX; a backup or a WAL push creates a new repository when its parent folder exists.",
        location);

    internal static PgBackupException RepositoryNotGiven(IReadOnlyCollection<string> known) => new(
        "RepositoryNotGiven", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        "No repository was named.",
        known.Count > 0
            ? $"Give -Repository; the configuration file knows {string.Join(", ", known.Take(10))}."
            : "Give -Repository with s3://bucket/prefix or the path of a folder, or set WALG_S3_PREFIX or WALG_FILE_PREFIX.");

    internal static PgBackupException RepositoryKindNotSupported(string location) => new(
        "RepositoryKindNotSupported", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The repository '{location}' is of a kind that this version cannot use.",
        "Give s3://bucket/prefix, or the path of a folder.", location);

    internal static PgBackupException ObjectNotFound(string location, string key) => new(
        "ObjectNotFound", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"The object '{key}' is not in the repository '{location}'.",
        "List what is there with Get-PgBackup; if it was deleted from outside, take a new full backup.", key);

    internal static PgBackupException ObjectExists(string location, string key) => new(
        "ObjectExists", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The object '{key}' is in the repository '{location}' already.",
        "Nothing was changed. Find out who else writes to this repository.", key);

    internal static PgBackupException ObjectKeyInvalid(string key) => new(
        "ObjectKeyInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"'{key}' cannot be the name of an object in a repository.",
        "Names are relative, separated by '/', and hold neither '..' nor control characters.", key);

    internal static PgBackupException StorageReadFailed(string location, string key, Exception inner) => new(
        "StorageReadFailed", ErrorKind.ReadError, ExitCodes.Failed,
        $"Reading '{key}' from the repository '{location}' failed: {inner.Message}",
        "Check the repository (Test-PgBackupRepository says what is wrong: a disk that is not mounted, a right, the network), then run the command again.", key, inner);

    internal static PgBackupException StorageWriteFailed(string location, string key, Exception inner) => new(
        "StorageWriteFailed", ErrorKind.WriteError, ExitCodes.Failed,
        $"Writing '{key}' to the repository '{location}' failed: {inner.Message}",
        "Check free space and rights of the repository (Test-PgBackupRepository tries them all), then run the command again; nothing half-written is left under the object's name.", key, inner);

    internal static PgBackupException ObjectTooLarge(string location, string key, long limit) => new(
        "ObjectTooLarge", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The object '{key}' in the repository '{location}' is larger than {new ByteSize(limit)}, which no such document is.",
        "Look at the object; if it was put there by mistake, remove it.", key);
}
