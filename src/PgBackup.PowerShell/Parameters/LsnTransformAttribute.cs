namespace PgBackup.PowerShell.Parameters;

/// <summary>Takes an LSN as PostgreSQL prints it: <c>16/B374D848</c>.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class LsnTransformAttribute : ValueTransform
{
    /// <inheritdoc/>
    protected override object Convert(object input, string typed) => input is string text ? Lsn.Parse(text) : input;
}
