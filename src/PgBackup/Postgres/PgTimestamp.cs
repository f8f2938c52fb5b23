namespace PgBackup.Postgres;

/// <summary>Conversions from PostgreSQL's times in binary files to <see cref="DateTimeOffset"/> in UTC.</summary>
public static class PgTimestamp
{
    private static readonly DateTimeOffset s_epoch = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly long s_minMicroseconds = (DateTimeOffset.MinValue - s_epoch).Ticks / TimeSpan.TicksPerMicrosecond;
    private static readonly long s_maxMicroseconds = (DateTimeOffset.MaxValue - s_epoch).Ticks / TimeSpan.TicksPerMicrosecond;
    private static readonly long s_minSeconds = DateTimeOffset.MinValue.ToUnixTimeSeconds();
    private static readonly long s_maxSeconds = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    /// <summary>
    /// A <c>TimestampTz</c>: microseconds since 2000-01-01 00:00 UTC (datatype/timestamp.h). Times outside the years 1 to 9999
    /// become the nearest end of that range.
    /// </summary>
    public static DateTimeOffset FromMicroseconds(long microseconds) =>
        s_epoch.AddTicks(Math.Clamp(microseconds, s_minMicroseconds, s_maxMicroseconds) * TimeSpan.TicksPerMicrosecond);

    /// <summary>A <c>pg_time_t</c>: seconds since 1970-01-01 00:00 UTC (pgtime.h), clamped likewise.</summary>
    public static DateTimeOffset FromUnixSeconds(long seconds) =>
        DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(seconds, s_minSeconds, s_maxSeconds));
}
