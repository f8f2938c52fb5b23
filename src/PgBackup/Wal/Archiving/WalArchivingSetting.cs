namespace PgBackup;

/// <summary>What a setting still needs before the server works with it.</summary>
public enum SettingNeeds
{
    /// <summary>Nothing: the server works with it.</summary>
    Nothing,

    /// <summary>The server must read its configuration again.</summary>
    Reload,

    /// <summary>The server must be restarted.</summary>
    Restart,

    /// <summary>The value stands in postgresql.auto.conf, but one from a stronger place (the server's command line) hides it.</summary>
    RemovalElsewhere,
}

/// <summary>One setting of the server that archiving needs: what it is, what it becomes.</summary>
public sealed record WalArchivingSetting
{
    /// <summary>The setting's name.</summary>
    public required string Name { get; init; }

    /// <summary>The value that the server works with before the change.</summary>
    public required string OldValue { get; init; }

    /// <summary>The value that it shall have.</summary>
    public required string NewValue { get; init; }

    /// <summary>True when the value has to be changed, or was.</summary>
    public required bool IsChanged { get; init; }

    /// <summary>What it needs until the server works with it.</summary>
    public required SettingNeeds Needs { get; init; }

    /// <summary>Where the old value came from: default, configuration file, command line, … (pg_settings.source).</summary>
    public required string Source { get; init; }

    /// <summary>The server, as host and port.</summary>
    public required string Server { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>The changes that turn archiving on, before they are made.</summary>
/// <param name="Settings">Every setting that matters, changed or not.</param>
/// <param name="Warnings">What the user should know before.</param>
public sealed record WalArchivingPlan(IReadOnlyList<WalArchivingSetting> Settings, IReadOnlyList<string> Warnings)
{
    /// <summary>True when something has to be changed.</summary>
    public bool HasChanges => Settings.Any(setting => setting.IsChanged);
}
