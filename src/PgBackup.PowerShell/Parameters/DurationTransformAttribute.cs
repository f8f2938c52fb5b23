namespace PgBackup.PowerShell.Parameters;

/// <summary>Takes a span of time as text (<see cref="Duration"/>) or as a TimeSpan; a number has no unit and is refused.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class DurationTransformAttribute : ValueTransform
{
    /// <inheritdoc/>
    protected override object Convert(object input, string typed) => input switch
    {
        TimeSpan => input,
        string text => Duration.Parse(text),
        decimal when typed.EndsWith("d", StringComparison.OrdinalIgnoreCase) => Duration.Parse(typed),
        short when typed.EndsWith("s", StringComparison.OrdinalIgnoreCase) => Duration.Parse(typed),
        _ => throw new FormatException($"'{typed}' has no unit; write for example 7d, 36h or 90s."),
    };
}
