namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException AlterSystemNotAllowed(string server, IReadOnlyList<string> lines) => new(
        "AlterSystemNotAllowed", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The server {server} does not allow ALTER SYSTEM (allow_alter_system is off): its configuration is managed elsewhere. Nothing was changed.",
        $"Put these lines where that configuration is kept, then restart the server: {string.Join("; ", lines)}", server);

    internal static PgBackupException ReloadFailed(string server) => new(
        "ReloadFailed", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The server {server} did not take the signal to read its configuration again; the new settings are in postgresql.auto.conf.",
        "Run SELECT pg_reload_conf() or restart the server, and look into its log.", server);
}
