namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException SettingInvalid(string name, string value, string allowed) => new(
        "SettingInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The setting {name} is '{value}', which it cannot be.",
        $"Set it to {allowed}, or remove it from the environment.", name);
}
