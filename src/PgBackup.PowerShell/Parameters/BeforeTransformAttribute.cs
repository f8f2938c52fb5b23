namespace PgBackup.PowerShell.Parameters;

/// <summary>Takes a moment (<see cref="TargetTime"/>), or the name of a base backup, which stays text.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class BeforeTransformAttribute : ValueTransform
{
    /// <inheritdoc/>
    protected override object Convert(object input, string typed) => input switch
    {
        string text when BackupName.TryParse(text, out _) => text,
        string text => TargetTime.Parse(text),
        DateTime time => TargetTime.FromDateTime(time),
        DateTimeOffset => input,
        _ => throw new FormatException($"'{input}' is neither a time nor the name of a base backup; write for example '2024-01-15' or 'base_000000010000000000000004'."),
    };
}
