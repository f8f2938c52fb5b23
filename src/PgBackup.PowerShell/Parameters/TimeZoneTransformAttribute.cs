namespace PgBackup.PowerShell.Parameters;

/// <summary>Takes a time zone by its name: <c>Europe/Berlin</c>, <c>UTC</c>, <c>Local</c>.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class TimeZoneTransformAttribute : ValueTransform
{
    /// <inheritdoc/>
    protected override object Convert(object input, string typed) => input switch
    {
        TimeZoneInfo => input,
        string text when text.Equals("Local", StringComparison.OrdinalIgnoreCase) => TimeZoneInfo.Local,
        string text => TimeZoneInfo.TryFindSystemTimeZoneById(text, out TimeZoneInfo? zone)
            ? zone
            : throw new FormatException($"'{text}' is no time zone of this system; write for example 'Europe/Berlin', 'UTC' or 'Local'."),
        _ => throw new FormatException($"'{input}' is no time zone; write for example 'Europe/Berlin', 'UTC' or 'Local'."),
    };
}
