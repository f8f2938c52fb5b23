namespace PgBackup.Restore.Planning;

/// <summary>The settings that make a server recover to a target (PostgreSQL documentation, "Archive Recovery" and "Recovery Target").</summary>
internal static class RecoverySettings
{
    /// <summary>
    /// What is written to postgresql.auto.conf. Without a target PostgreSQL promotes at the end of the log whatever the action says; so for another action the
    /// last record becomes the target.
    /// </summary>
    public static IReadOnlyDictionary<string, string> For(RestoreRequest request, string timeline, Lsn lastRecord)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["restore_command"] = request.RestoreCommand,
            ["recovery_target_timeline"] = timeline,
        };
        KeyValuePair<string, string>? target = request.Target.Setting();
        if (target is null && request.TargetAction != RecoveryTargetAction.Promote)
            target = RestoreTarget.AtLsn(lastRecord).Setting();
        if (target is { } setting)
        {
            settings[setting.Key] = setting.Value;
            if (request.Target.IsExclusive)
                settings["recovery_target_inclusive"] = "off";
            settings["recovery_target_action"] = request.TargetAction.ToString().ToLowerInvariant();
        }
        if (!request.KeepArchiving)
            settings["archive_mode"] = "off";
        return settings;
    }
}
