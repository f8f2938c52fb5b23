using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;

namespace PgBackup;

/// <summary>
/// Reads moments as people and PostgreSQL write them, and writes them as PostgreSQL reads them. What could mean two moments is refused with the
/// reason: a restore to the wrong one loses data.
/// </summary>
public static partial class TargetTime
{
    private const string HowTo = "write it for example as '2024-01-15 14:30:00+02' or '2024-01-15 14:30:00 Europe/Berlin'";

    private static readonly string[] s_months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    private static readonly string[] s_universal = ["Z", "UTC", "GMT", "UT", "Zulu"];

    /// <summary>
    /// Reads PostgreSQL's spellings (<c>2024-01-15 14:30:00.123456+02</c>, <c>2024-01-15 14:30:00 UTC</c>), ISO 8601, names of zones
    /// (<c>Europe/Berlin</c>), month names, and a time of today; without a zone it is local time. Parts below a microsecond are cut off,
    /// as PostgreSQL has none. Throws <see cref="FormatException"/>, whose message says what is wrong.
    /// </summary>
    public static DateTimeOffset Parse(string text) =>
        TryParse(text, TimeZoneInfo.Local, TimeProvider.System.GetLocalNow(), out DateTimeOffset time, out string? reason) ? time : throw new FormatException(reason);

    /// <summary>
    /// The moment that a date and time without a kind means here. Throws <see cref="FormatException"/> when the clock was set and it came twice or never.
    /// </summary>
    public static DateTimeOffset FromDateTime(DateTime time) => time.Kind == DateTimeKind.Utc
        ? new DateTimeOffset(time)
        : TryInZone(DateTime.SpecifyKind(time, DateTimeKind.Unspecified), TimeZoneInfo.Local, out DateTimeOffset result, out string? reason) ? result : throw new FormatException(reason);

    /// <summary>The form that a server of any time zone and date style reads alike, as <c>recovery_target_time</c>: ISO, in UTC, with a numeric offset, to the microsecond.</summary>
    public static string ToPostgres(DateTimeOffset time) =>
        time.ToUniversalTime().ToString("yyyy-MM-dd HH:mm:ss.FFFFFF", CultureInfo.InvariantCulture) + "+00";

    internal static bool TryParse(string text, TimeZoneInfo local, DateTimeOffset now, out DateTimeOffset time, [NotNullWhen(false)] out string? reason)
    {
        time = default;
        if (NumbersOnlyDate().IsMatch(text))
        {
            reason = $"In '{text}' day and month can be confused; {HowTo}.";
            return false;
        }
        Match match = Pattern().Match(text);
        if (!match.Success)
        {
            reason = $"'{text}' is not a time that PgBackup can read; {HowTo}.";
            return false;
        }
        if (!TryClock(match, now, out DateTime clock))
        {
            reason = $"'{text}' names a day or an hour that does not exist.";
            return false;
        }
        if (match.Groups["week"].Success && !clock.DayOfWeek.ToString().StartsWith(match.Groups["week"].Value, StringComparison.OrdinalIgnoreCase))
        {
            reason = $"'{text}' names the wrong day of the week: it was a {clock.DayOfWeek}.";
            return false;
        }
        return TryZone(match, clock, local, out time, out reason);
    }

    private static bool TryClock(Match match, DateTimeOffset now, out DateTime clock)
    {
        clock = default;
        int Number(string group, int absent) =>
            match.Groups[group].Success ? int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture) : absent;

        int month = match.Groups["name"].Success ? MonthOf(match.Groups["name"].Value) : Number("month", now.Month);
        int year = Number("year", now.Year);
        int day = Number("day", now.Day);
        int hour = Number("hour", 0);
        if (match.Groups["half"].Success)
        {
            if (hour is < 1 or > 12)
                return false;
            hour = (hour % 12) + (match.Groups["half"].ValueSpan[0] is 'p' or 'P' ? 12 : 0);
        }
        int minute = Number("minute", 0);
        int second = Number("second", 0);
        if (year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59)
            return false;
        string fraction = match.Groups["fraction"].Value.PadRight(6, '0')[..6];
        clock = new DateTime(year, month, day, hour, minute, second, DateTimeKind.Unspecified)
            .AddTicks(int.Parse(fraction, CultureInfo.InvariantCulture) * TimeSpan.TicksPerMicrosecond);
        return true;
    }

    private static int MonthOf(string name)
    {
        string full = name.ToLowerInvariant();
        int index = Array.IndexOf(s_months, full[..3]);
        bool known = index >= 0 && (full.Length == 3 || full == "sept" || full == CultureInfo.InvariantCulture.DateTimeFormat.MonthNames[index].ToLowerInvariant());
        return known ? index + 1 : 0;
    }

    private static bool TryZone(Match match, DateTime clock, TimeZoneInfo local, out DateTimeOffset time, [NotNullWhen(false)] out string? reason)
    {
        time = default;
        string zone = match.Groups["zone"].Value;
        if (zone.Length == 0)
            return TryInZone(clock, local, out time, out reason);
        if (s_universal.Contains(zone, StringComparer.OrdinalIgnoreCase))
            return TryAtOffset(clock, TimeSpan.Zero, zone, out time, out reason);
        if (zone[0] is '+' or '-')
        {
            string digits = zone[1..].Replace(":", "", StringComparison.Ordinal).PadRight(6, '0');
            TimeSpan offset = new(int.Parse(digits[..2], CultureInfo.InvariantCulture), int.Parse(digits[2..4], CultureInfo.InvariantCulture), int.Parse(digits[4..6], CultureInfo.InvariantCulture));
            return TryAtOffset(clock, zone[0] == '-' ? -offset : offset, zone, out time, out reason);
        }
        // CET, EST and their like mean an offset to some and a zone with summer time to others; UTC+3 has either sign.
        if (!zone.Contains('/', StringComparison.Ordinal))
        {
            reason = $"The zone '{zone}' can mean more than one offset, or none; {HowTo}.";
            return false;
        }
        if (!TimeZoneInfo.TryFindSystemTimeZoneById(zone, out TimeZoneInfo? named))
        {
            reason = $"The zone '{zone}' is not known on this machine; {HowTo}.";
            return false;
        }
        return TryInZone(clock, named, out time, out reason);
    }

    private static bool TryAtOffset(DateTime clock, TimeSpan offset, string zone, out DateTimeOffset time, [NotNullWhen(false)] out string? reason)
    {
        time = default;
        reason = null;
        long universal = clock.Ticks - offset.Ticks;
        if (offset.Duration() > TimeSpan.FromHours(14) || offset.Ticks % TimeSpan.TicksPerMinute != 0 || offset.Minutes is > 59 or < -59)
            reason = $"'{zone}' is not an offset from UTC that is in use.";
        else if (universal < DateTime.MinValue.Ticks || universal > DateTime.MaxValue.Ticks)
            reason = $"'{clock:yyyy-MM-dd HH:mm:ss}' at '{zone}' lies outside the calendar.";
        else
            time = new DateTimeOffset(clock, offset);
        return reason is null;
    }

    private static bool TryInZone(DateTime clock, TimeZoneInfo zone, out DateTimeOffset time, [NotNullWhen(false)] out string? reason)
    {
        time = default;
        if (zone.IsInvalidTime(clock))
        {
            reason = $"'{clock:yyyy-MM-dd HH:mm:ss}' never was in {zone.Id}: the clock was set forward over it; add an offset such as +02.";
            return false;
        }
        if (zone.IsAmbiguousTime(clock))
        {
            string offsets = string.Join(" or ", zone.GetAmbiguousTimeOffsets(clock).Order().Reverse().Select(o => new DateTimeOffset(clock, o).ToString("zzz", CultureInfo.InvariantCulture)));
            reason = $"'{clock:yyyy-MM-dd HH:mm:ss}' was twice in {zone.Id}, because the clock was set back; add the offset: {offsets}.";
            return false;
        }
        return TryAtOffset(clock, zone.GetUtcOffset(clock), zone.Id, out time, out reason);
    }

    [GeneratedRegex(@"\A\s*\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b", RegexOptions.CultureInvariant)]
    private static partial Regex NumbersOnlyDate();

    [GeneratedRegex(
        """
        \A\s*
        (?:(?<week>sun|mon|tue|wed|thu|fri|sat)[a-z]*,?\s+)?
        (?:
          (?<year>\d{4})(?<month>\d\d)(?<day>\d\d)T(?<hour>\d\d)(?<minute>\d\d)(?<second>\d\d)(?:[.,](?<fraction>\d{1,9}))?
        | (?<name>[a-z]{3,9})\s+(?<day>\d{1,2})\s+(?<hour>\d{1,2}):(?<minute>\d\d):(?<second>\d\d)(?:[.,](?<fraction>\d{1,9}))?(?:\s+(?<zone>[a-z]+))?\s+(?<year>\d{4})
        | (?:
            (?:
              (?<year>\d{4})[-/](?<month>\d{1,2})[-/](?<day>\d{1,2})
            | (?<day>\d{1,2})[\s-](?<name>[a-z]{3,9}),?[\s-](?<year>\d{4})
            | (?<name>[a-z]{3,9})\s+(?<day>\d{1,2}),?\s+(?<year>\d{4})
            )
            (?:(?:\s*T\s*|,?\s+)(?<hour>\d{1,2}):(?<minute>\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d{1,9}))?)?(?:\s*(?<half>am|pm)\b)?)?
          | (?<hour>\d{1,2}):(?<minute>\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d{1,9}))?)?(?:\s*(?<half>am|pm)\b)?
          )
        )
        (?:\s*(?<zone>[+-]\d\d(?::?\d\d(?::?\d\d)?)?|[a-z][a-z0-9_+/-]*))?
        \s*\z
        """,
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Pattern();
}
