namespace PgBackup.PowerShell.Parameters;

/// <summary>Takes an LSN, a span of time from now, or a moment (<see cref="ReceiveLimit"/>).</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ReceiveLimitTransformAttribute : ValueTransform
{
    /// <inheritdoc/>
    protected override object Convert(object input, string typed) => input switch
    {
        string text => ReceiveLimit.Parse(text),
        Lsn lsn => ReceiveLimit.At(lsn),
        TimeSpan span => ReceiveLimit.After(span),
        DateTime time => ReceiveLimit.At(TargetTime.FromDateTime(time)),
        DateTimeOffset time => ReceiveLimit.At(time),
        decimal when typed.EndsWith("d", StringComparison.OrdinalIgnoreCase) => ReceiveLimit.After(Duration.Parse(typed)),
        short when typed.EndsWith("s", StringComparison.OrdinalIgnoreCase) => ReceiveLimit.After(Duration.Parse(typed)),
        ReceiveLimit => input,
        _ => throw new FormatException($"'{typed}' is neither an LSN (16/B374D848) nor a span of time (8h) nor a time (2024-01-15 14:30:00+02)."),
    };
}
