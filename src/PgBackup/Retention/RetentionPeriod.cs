using System.Globalization;

namespace PgBackup;

/// <summary>The calendar's periods that tiers count.</summary>
public enum RetentionPeriod
{
    /// <summary>An hour of the clock.</summary>
    Hour,

    /// <summary>A day of the calendar.</summary>
    Day,

    /// <summary>A week from Monday on (ISO 8601).</summary>
    Week,

    /// <summary>A month.</summary>
    Month,

    /// <summary>A year.</summary>
    Year,
}

/// <summary>Names of periods.</summary>
internal static class RetentionPeriods
{
    /// <summary>The period that a moment lies in: <c>2026-08-31</c>, <c>2026-W36</c>, <c>2026-08</c>; of an hour with its offset, because one comes twice when the clock is set back.</summary>
    public static string NameOf(RetentionPeriod period, DateTimeOffset time, TimeZoneInfo zone)
    {
        DateTimeOffset local = TimeZoneInfo.ConvertTime(time, zone);
        return period switch
        {
            RetentionPeriod.Hour => local.ToString("yyyy-MM-dd HH'h'zzz", CultureInfo.InvariantCulture),
            RetentionPeriod.Day => local.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            RetentionPeriod.Week => string.Create(CultureInfo.InvariantCulture, $"{ISOWeek.GetYear(local.DateTime):D4}-W{ISOWeek.GetWeekOfYear(local.DateTime):D2}"),
            RetentionPeriod.Month => local.ToString("yyyy-MM", CultureInfo.InvariantCulture),
            _ => local.ToString("yyyy", CultureInfo.InvariantCulture),
        };
    }

    /// <summary>The tier's name, for example <c>daily</c>.</summary>
    public static string TierOf(RetentionPeriod period) => period switch
    {
        RetentionPeriod.Hour => "hourly",
        RetentionPeriod.Day => "daily",
        RetentionPeriod.Week => "weekly",
        RetentionPeriod.Month => "monthly",
        _ => "yearly",
    };
}
