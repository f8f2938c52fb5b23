namespace PgBackup.Errors;

public static partial class PgErrors
{
    private const string GiveTheKey =
        "Give the key that the repository was written with: -EncryptionKey with its file, or WALG_LIBSODIUM_KEY_PATH or WALG_LIBSODIUM_KEY, and WALG_LIBSODIUM_KEY_TRANSFORM (base64 for a "
        + "key of New-PgBackupKey). ";

    internal static PgBackupException EncryptionKeyInvalid(string? name) => new(
        "EncryptionKeyInvalid", ErrorKind.SecurityError, ExitCodes.WrongKey,
        name is null ? "The encryption key does not open the stored data." : $"The encryption key does not open the object '{name}'.",
        GiveTheKey + "If other objects open with this key, the first bytes of this one are damaged.", name);

    internal static PgBackupException EncryptionKeyInvalid(string location, string recorded, string given) => new(
        "EncryptionKeyInvalid", ErrorKind.SecurityError, ExitCodes.WrongKey,
        $"The repository '{location}' is encrypted with the key {recorded}, but the key given is {given}.",
        GiveTheKey + "Nothing was changed. The same text is another key under another transform.", location);

    internal static PgBackupException EncryptionKeyOpensNothing(string location, string given, string example) => new(
        "EncryptionKeyInvalid", ErrorKind.SecurityError, ExitCodes.WrongKey,
        $"The key given ({given}) opens nothing in the repository '{location}'; '{example}' was tried, among others.",
        GiveTheKey + "Nothing was changed.", location);

    internal static PgBackupException EncryptionKeyRequired(string location, string? recorded) => new(
        "EncryptionKeyRequired", ErrorKind.SecurityError, ExitCodes.WrongKey,
        recorded is null ? $"What is in the repository '{location}' is encrypted, and no key was given." : $"The repository '{location}' is encrypted with the key {recorded}, and no such key was given.",
        GiveTheKey + "What wal-g encrypted with PGP is read with WALG_PGP_KEY_PATH.", location);

    internal static PgBackupException RepositoryNotEncrypted(string location) => new(
        "RepositoryNotEncrypted", ErrorKind.SecurityError, ExitCodes.WrongKey,
        $"A key was given, but what is in the repository '{location}' is not encrypted; with both in one place neither could be relied on.",
        "To encrypt from now on, give a new, empty repository and take a full backup into it. To go on here, leave the key out: -EncryptionKey, WALG_LIBSODIUM_KEY, WALG_LIBSODIUM_KEY_PATH.",
        location);

    internal static PgBackupException EncryptionMethodUnknown(string location, string key, int version, string? method) => new(
        "EncryptionMethodUnknown", ErrorKind.InvalidData, ExitCodes.WrongKey,
        $"The repository '{location}' is encrypted in a way that this version does not know ('{method}', version {version} of '{key}').",
        "Use the version of PgBackup that wrote to it last, or a newer one.", location);

    internal static PgBackupException EncryptionKeyMalformed(string reason) => new(
        "EncryptionKeyMalformed", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The encryption key cannot be used: {reason}.",
        "A key is what New-PgBackupKey makes, or fits WALG_LIBSODIUM_KEY_TRANSFORM: none (at least 25 bytes of text), hex or base64 (exactly 32 bytes).");

    internal static PgBackupException EncryptionNotSupported(string name) => new(
        "EncryptionNotSupported", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The environment asks for encryption by {name}, which PgBackup cannot do; nothing was read or written.",
        $"Remove {name} and set WALG_LIBSODIUM_KEY_PATH for libsodium encryption, or unset it to work without encryption.", name);

    internal static PgBackupException KeyFileUnreadable(string path, string setting, Exception inner) => new(
        "KeyFileUnreadable", ErrorKind.ReadError, ExitCodes.WrongKey,
        $"The key file '{path}' ({setting}) cannot be read: {inner.Message}",
        "Check the path, and that this account may read the file.", path, inner);

    internal static PgBackupException KeyFileExists(string path) => new(
        "KeyFileExists", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The file '{path}' exists already; it was left as it is, because it may be the key of backups.",
        "Give the path of a file that does not exist. A key that is no longer needed is removed by hand.", path);

    internal static PgBackupException KeyFileUnwritable(string path, Exception inner) => new(
        "KeyFileUnwritable", ErrorKind.WriteError, ExitCodes.Failed,
        $"The key file '{path}' cannot be written: {inner.Message}",
        "Check that its folder exists, and that this account may write there.", path, inner);

    internal static PgBackupException PgpCannotBeWritten(string name) => new(
        "EncryptionNotSupported", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The environment asks for encryption with PGP ({name}): PgBackup can read what wal-g encrypted so, but cannot write it; nothing was written.",
        $"To write, remove {name} and give a new repository with -EncryptionKey or WALG_LIBSODIUM_KEY_PATH; New-PgBackupKey makes a key.", name);

    internal static PgBackupException PgpKeyInvalid(string objectName, string said) => new(
        "EncryptionKeyInvalid", ErrorKind.SecurityError, ExitCodes.WrongKey,
        $"The PGP key does not open the object '{objectName}'. gpg said: {said}",
        "Give the private key for which wal-g encrypted (WALG_PGP_KEY_PATH, WALG_PGP_KEY, or WALG_GPG_KEY_ID for one in your own key ring) and its passphrase (WALG_PGP_KEY_PASSPHRASE).",
        objectName);

    internal static PgBackupException PgpKeyRefused(string name, string said) => new(
        "EncryptionKeyMalformed", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"What {name} gives is no PGP key that gpg takes. gpg said: {said}",
        $"Export the key with gpg --armor --export-secret-keys, and let {name} give that.", name);

    internal static PgBackupException GpgMissing(string program, Exception? inner) => new(
        "GpgMissing", ErrorKind.NotInstalled, ExitCodes.Failed,
        $"The program '{program}', which reads what wal-g encrypted with PGP, is not on the PATH.",
        "Install GnuPG (the package gnupg or gnupg2) and run the command again.", program, inner);

    internal static PgBackupException GpgHomeUnwritable(Exception inner) => new(
        "GpgHomeUnwritable", ErrorKind.WriteError, ExitCodes.Failed,
        $"No folder for gpg's key ring could be made: {inner.Message}",
        "Check that this account may write to the folder for temporary files.", null, inner);
}
