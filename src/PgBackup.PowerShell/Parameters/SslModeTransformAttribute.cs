namespace PgBackup.PowerShell.Parameters;

/// <summary>Takes libpq's spellings too: <c>verify-full</c>.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SslModeTransformAttribute : ValueTransform
{
    /// <inheritdoc/>
    protected override object Convert(object input, string typed) => input is string text ? text.Replace("-", "", StringComparison.Ordinal) : input;
}
