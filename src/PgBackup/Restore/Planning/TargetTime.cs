using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.Errors;

namespace PgBackup.Restore.Planning;

/// <summary>
/// Reads moments as people write them and as PostgreSQL prints them: <c>2024-01-15 14:30:00</c> (this machine's time zone), <c>… UTC</c>, <c>…+02</c>,
/// <c>… +05:30</c>, <c>…T14:30:00.123456Z</c>, a zone of the IANA database (<c>… Europe/Berlin</c>).
/// </summary>
public static partial class TargetTime
{
    /// <summary>Reads the text. Throws <c>TargetInvalid</c> for what is none, is no moment of that zone, or is one twice (the hour that a change to winter time repeats).</summary>
    public static DateTimeOffset Parse(string text, TimeZoneInfo? local = null)
    {
        Match match = Pattern().Match(text);
        if (!match.Success
            || !DateTime.TryParseExact(
                $"{match.Groups["date"].Value} {Time(match)}", "yyyy-M-d H:m:s.FFFFFFF", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTime clock))
            throw Unreadable(text);
        string zone = match.Groups["zone"].Value;
        if (zone is "Z" or "z" || zone.Equals("UTC", StringComparison.OrdinalIgnoreCase) || zone.Equals("GMT", StringComparison.OrdinalIgnoreCase))
            return new DateTimeOffset(clock, TimeSpan.Zero);
        if (zone.Length > 0 && zone[0] is '+' or '-')
            return new DateTimeOffset(clock, Offset(zone, text));
        return InZone(clock, zone.Length == 0 ? local ?? TimeZoneInfo.Local : Zone(zone, text), text);
    }

    private static string Time(Match match)
    {
        string time = match.Groups["time"].Success ? match.Groups["time"].Value : "0:0:0";
        return time.Count(c => c == ':') == 1 ? time + ":0" : time.Replace(',', '.');
    }

    private static TimeSpan Offset(string zone, string text)
    {
        string digits = zone[1..].Replace(":", "", StringComparison.Ordinal);
        int hours = int.Parse(digits.AsSpan(0, Math.Min(2, digits.Length)), CultureInfo.InvariantCulture);
        int minutes = digits.Length > 2 ? int.Parse(digits.AsSpan(2), CultureInfo.InvariantCulture) : 0;
        if (hours > 14 || minutes > 59 || (hours == 14 && minutes > 0))
            throw Unreadable(text);
        var offset = new TimeSpan(hours, minutes, 0);
        return zone[0] == '-' ? -offset : offset;
    }

    private static TimeZoneInfo Zone(string name, string text) =>
        name.Contains('/', StringComparison.Ordinal) && TimeZoneInfo.TryFindSystemTimeZoneById(name, out TimeZoneInfo? zone)
            ? zone
            // CEST or EST mean different offsets to different people, and PostgreSQL itself needs a table for them.
            : throw PgErrors.TargetInvalid($"'{name}' in '{text}' is no time zone that everybody understands alike; write a numeric offset such as +02.");

    private static DateTimeOffset InZone(DateTime clock, TimeZoneInfo zone, string text)
    {
        if (zone.IsInvalidTime(clock))
            throw PgErrors.TargetInvalid($"the time '{text}' does not exist in the time zone {zone.Id}: the clocks went over it. Write it with a numeric offset such as +02.");
        if (zone.IsAmbiguousTime(clock))
            throw PgErrors.TargetInvalid($"the time '{text}' exists twice in the time zone {zone.Id}: the clocks went back. Write it with a numeric offset such as +02.");
        return new DateTimeOffset(clock, zone.GetUtcOffset(clock));
    }

    private static PgBackupException Unreadable(string text) => PgErrors.TargetInvalid(
        $"'{text}' is not a time; write it for example as '2024-01-15 14:30:00+02' or '2024-01-15 14:30:00 UTC'.");

    [GeneratedRegex(
        @"\A\s*(?<date>\d{4}-\d{1,2}-\d{1,2})(?:(?:[Tt]|\s+)(?<time>\d{1,2}:\d{1,2}(?::\d{1,2}(?:[.,]\d{1,7})?)?))?\s*(?<zone>[Zz]|[+-]\d{1,2}(?::?\d{2})?|[A-Za-z][A-Za-z0-9_+\-/]*)?\s*\z",
        RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
