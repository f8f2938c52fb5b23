namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException CodecUnknown(string location, string key) => new(
        "CodecUnknown", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The object '{key}' in the repository '{location}' has an extension that names no known compression.",
        "Look at the object; if it does not belong there, move it away.", key);
}
