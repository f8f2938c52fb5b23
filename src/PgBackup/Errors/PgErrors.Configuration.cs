namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException SettingInvalid(string name, string value, string allowed) => new(
        "SettingInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The setting {name} is '{value}', which it cannot be.",
        $"Set it to {allowed}, or remove it from the environment.", name);

    internal static PgBackupException EncryptionNotSupported(string name) => new(
        "EncryptionNotSupported", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The environment asks for encryption by {name}, which PgBackup cannot do; nothing was read or written.",
        $"Remove {name} and set WALG_LIBSODIUM_KEY_PATH for libsodium encryption, or unset it to work without encryption.", name);

    internal static PgBackupException KeyFileUnreadable(string path, Exception inner) => new(
        "KeyFileUnreadable", ErrorKind.ReadError, ExitCodes.WrongKey,
        $"The key file '{path}' (WALG_LIBSODIUM_KEY_PATH) cannot be read: {inner.Message}",
        "Check the path, and that this account may read the file.", path, inner);
}
