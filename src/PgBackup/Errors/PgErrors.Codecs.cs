namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException ObjectDamaged(string? name, string reason, Exception? inner = null) => new(
        "ObjectDamaged", ErrorKind.InvalidData, ExitCodes.VerificationFailed,
        name is null ? $"Stored data is damaged: {reason}." : $"The object '{name}' is damaged: {reason}.",
        "Nothing of it can be trusted. Look for an intact copy of the repository, choose another backup, and take a new full backup.", name, inner);

    internal static PgBackupException CompressionMethodUnknown(string value) => new(
        "CompressionMethodUnknown", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"'{value}' is not a compression method.",
        "Use zstd, lz4, brotli or none.", value);

    internal static PgBackupException CompressionMethodReadOnly(string value) => new(
        "CompressionMethodReadOnly", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The compression method '{value}' can be read, but not written.",
        "Use zstd, lz4, brotli or none.", value);

    internal static PgBackupException CompressionLevelInvalid(string method, int level, int lowest, int highest) => new(
        "CompressionLevelInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"{level} is not a level of the compression method '{method}'.",
        $"Use a level from {lowest} to {highest}, or leave it out.", level);

    internal static PgBackupException CompressionFailed(string method, string reason) => new(
        "CompressionFailed", ErrorKind.ResourceUnavailable, ExitCodes.Failed,
        $"Compressing with {method} failed: {reason}.",
        "Check that the machine has free memory, then run the command again; the repository keeps only whole objects.");
}
