using System.Globalization;

namespace PgBackup.Retention;

/// <summary>Spans and moments in reasons.</summary>
internal static class RetentionText
{
    /// <summary><c>7d</c>, <c>1d 12h</c>, <c>90s</c>.</summary>
    public static string Span(TimeSpan span)
    {
        var parts = new List<string>(4);
        Add((long)span.TotalDays, "d");
        Add(span.Hours, "h");
        Add(span.Minutes, "min");
        Add(span.Seconds, "s");
        return parts.Count == 0 ? "0s" : string.Join(' ', parts);

        void Add(long number, string unit)
        {
            if (number != 0)
                parts.Add(string.Create(CultureInfo.InvariantCulture, $"{number}{unit}"));
        }
    }

    /// <summary><c>2026-08-31 23:00:00Z</c>.</summary>
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("u", CultureInfo.InvariantCulture);
}
