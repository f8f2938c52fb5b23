namespace PgBackup;

/// <summary>Where receiving ends by itself: at a point of the log, or at a moment.</summary>
public sealed record ReceiveLimit
{
    private ReceiveLimit(Lsn? lsn, DateTimeOffset? time)
    {
        Lsn = lsn;
        Time = time;
    }

    /// <summary>The log is wanted up to here; null for a moment.</summary>
    public Lsn? Lsn { get; }

    /// <summary>The moment; null for a point of the log.</summary>
    public DateTimeOffset? Time { get; }

    /// <summary>A point of the log.</summary>
    public static ReceiveLimit At(Lsn lsn) => new(lsn, null);

    /// <summary>A moment.</summary>
    public static ReceiveLimit At(DateTimeOffset time) => new(null, time);

    /// <summary>So much later than now.</summary>
    public static ReceiveLimit After(TimeSpan span) => new(null, DateTimeOffset.UtcNow + span);

    /// <summary>
    /// Reads an LSN (<c>16/B374D848</c>), a span of time from now (<see cref="Duration"/>: <c>90s</c>, <c>8h</c>) or a moment (<see cref="TargetTime"/>). Throws <see cref="FormatException"/>.
    /// </summary>
    public static ReceiveLimit Parse(string text)
    {
        if (PgBackup.Lsn.TryParse(text, null, out Lsn lsn))
            return At(lsn);
        // "8:30" is a time of today, not a span.
        if (!text.Contains(':', StringComparison.Ordinal) && Duration.TryParse(text, out TimeSpan span))
            return After(span);
        try
        {
            return At(TargetTime.Parse(text));
        }
        catch (FormatException error)
        {
            throw new FormatException($"'{text}' is neither an LSN (16/B374D848) nor a span of time (8h) nor a moment: {error.Message}", error);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Lsn is { } lsn ? lsn.ToString() : TargetTime.ToPostgres(Time!.Value);
}
