namespace PgBackup.PowerShell.Parameters;

/// <summary>Takes a moment as text (<see cref="TargetTime"/>) or as a DateTime, which without a kind is local time.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class TargetTimeTransformAttribute : ValueTransform
{
    /// <inheritdoc/>
    protected override object Convert(object input, string typed) => input switch
    {
        string text => TargetTime.Parse(text),
        DateTime time => TargetTime.FromDateTime(time),
        DateTimeOffset => input,
        _ => throw new FormatException($"'{input}' is not a time; write it for example as '2024-01-15 14:30:00+02'."),
    };
}
