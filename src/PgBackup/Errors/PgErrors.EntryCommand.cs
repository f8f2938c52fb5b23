namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException PowerShellNotFound() => new(
        "PowerShellNotFound", ErrorKind.NotInstalled, ExitCodes.BadConfiguration,
        "No pwsh was found that the server could run for archive_command and restore_command.",
        "Install PowerShell 7.6 so that pwsh is on the PATH, or set PGBACKUP_POWERSHELL to the full path of the program that runs the entry scripts.");

    internal static PgBackupException PowerShellPathInvalid(string path) => new(
        "PowerShellNotFound", ErrorKind.NotInstalled, ExitCodes.BadConfiguration,
        $"PGBACKUP_POWERSHELL is '{path}', and there is no such file.",
        "Set it to the full path of pwsh, or of a program that takes -NoProfile -NonInteractive -File like pwsh; or remove it to use the pwsh on the PATH.", path);

    internal static PgBackupException EntryPathUnusable(string path, string reason) => new(
        "EntryPathUnusable", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The path '{path.ReplaceLineEndings("\\n")}' cannot stand in a command that PostgreSQL runs: {reason}",
        "Use another path, for example a symbolic link to it with a plain name.", path);

    internal static PgBackupException EntryScriptsMissing(string folder) => new(
        "EntryScriptsMissing", ErrorKind.NotInstalled, ExitCodes.BadConfiguration,
        $"The module's entry scripts are not at '{folder}'.",
        "Install the module again, whole; or give the command yourself with -ArchiveCommand.", folder);
}
