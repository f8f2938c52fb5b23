namespace PgBackup;

/// <summary>One value that is in effect, and where it came from.</summary>
/// <param name="Name">The setting, as the configuration file spells it: <c>repository.region</c>.</param>
/// <param name="Value">The value; <c>(set)</c> for a secret; null when nothing says anything and there is no default.</param>
/// <param name="Source">Where it came from: <c>parameter</c>, <c>environment AWS_REGION</c>, <c>/etc/pgbackup/config.yaml:12</c>, <c>default</c>.</param>
public sealed record ConfigurationValue(string Name, string? Value, string Source)
{
    /// <summary>What is shown in place of a secret.</summary>
    public const string Hidden = "(set)";

    /// <summary>The source of what nobody has set.</summary>
    public const string DefaultSource = "default";
}
