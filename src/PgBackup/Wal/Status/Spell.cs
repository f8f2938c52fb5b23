using System.Globalization;

namespace PgBackup.Wal.Status;

/// <summary>How reasons spell numbers and times.</summary>
internal static class Spell
{
    /// <summary>A span in the unit that fits: <c>3 days</c>, <c>5 hours</c>, <c>40 seconds</c>.</summary>
    public static string Span(TimeSpan span) => span switch
    {
        { TotalDays: >= 2 } s => $"{(int)s.TotalDays} days",
        { TotalHours: >= 2 } s => $"{(int)s.TotalHours} hours",
        { TotalMinutes: >= 2 } s => $"{(int)s.TotalMinutes} minutes",
        { } s => Count((long)Math.Max(0, s.TotalSeconds), "second"),
    };

    /// <summary>A number and its noun, whose plural has an s.</summary>
    public static string Count(long number, string one) => string.Create(CultureInfo.InvariantCulture, $"{number:N0} {one}{(number == 1 ? "" : "s")}");

    /// <summary>A moment to the second, in UTC as server logs of most hosts have it.</summary>
    public static string Time(DateTimeOffset time) => time.ToUniversalTime().ToString("u", CultureInfo.InvariantCulture);
}
