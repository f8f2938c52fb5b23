using PgBackup.Configuration;

namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException SettingInvalid(Setting setting, string allowed) => new(
        "SettingInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The setting {setting.Name} ({setting.Source}) is '{setting.Text.ReplaceLineEndings("\\n")}', which it cannot be.",
        $"Give {allowed}, or leave it out.", setting.Name);

    internal static PgBackupException SettingsContradict(Setting setting, string reason, string hint) => new(
        "SettingInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"The setting {setting.Name} ({setting.Source}) cannot be used: {reason}", hint, setting.Name);

    internal static PgBackupException RepositoryLocationInvalid(Setting setting, string reason) => new(
        "RepositoryLocationInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"'{setting.Text.ReplaceLineEndings("\\n")}' ({setting.Name}, {setting.Source}) is no repository's location: {reason}",
        "Write s3://bucket/prefix, or the path of a folder.", setting.Name);

    internal static PgBackupException RepositoryAmbiguous(Setting one, Setting other) => new(
        "RepositoryAmbiguous", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"Both {one.Name} and {other.Name} are set, and each names a repository.",
        $"Give -Repository, or remove one of them from the environment.", one.Name);
}
