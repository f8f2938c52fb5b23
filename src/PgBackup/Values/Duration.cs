using System.Globalization;
using System.Text.RegularExpressions;

namespace PgBackup;

/// <summary>Reads spans of time as people write them.</summary>
public static partial class Duration
{
    /// <summary>
    /// Reads <c>7d</c>, <c>36h</c>, <c>1d 12h</c>, <c>15 min</c>, <c>90s</c>, <c>500ms</c>, ISO 8601 (<c>P7D</c>, <c>PT36H</c>) and .NET's form
    /// (<c>1.12:00:00</c>). Throws <see cref="FormatException"/> for anything else: a number without a unit, months and years (whose length varies), negative spans.
    /// </summary>
    public static TimeSpan Parse(string text) =>
        TryParse(text, out TimeSpan span)
            ? span
            : throw new FormatException($"'{text}' is not a span of time; write for example 7d, 36h, 90s, PT15M or 1.12:00:00.");

    /// <summary>As <see cref="Parse"/>; false instead of an exception.</summary>
    public static bool TryParse(string? text, out TimeSpan span)
    {
        span = default;
        Match match = Units().Match(text ?? "");
        if (!match.Success)
            match = Iso().Match(text ?? "");
        if (match.Success)
            return TryAdd(match, out span);
        return (text ?? "").Contains(':', StringComparison.Ordinal)
            && TimeSpan.TryParseExact(text!.Trim(), ["c", @"h\:mm", @"hh\:mm"], CultureInfo.InvariantCulture, out span)
            && span >= TimeSpan.Zero;
    }

    private static bool TryAdd(Match match, out TimeSpan span)
    {
        span = default;
        decimal ticks = 0;
        foreach (string unit in (ReadOnlySpan<string>)["weeks", "days", "hours", "minutes", "seconds", "milliseconds"])
        {
            if (!match.Groups[unit].Success)
                continue;
            if (!decimal.TryParse(match.Groups[unit].ValueSpan, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number) || number > long.MaxValue)
                return false;
            ticks += number * unit switch
            {
                "weeks" => 7 * TimeSpan.TicksPerDay,
                "days" => TimeSpan.TicksPerDay,
                "hours" => TimeSpan.TicksPerHour,
                "minutes" => TimeSpan.TicksPerMinute,
                "seconds" => TimeSpan.TicksPerSecond,
                _ => TimeSpan.TicksPerMillisecond,
            };
        }
        if (ticks > long.MaxValue)
            return false;
        span = TimeSpan.FromTicks((long)ticks);
        return true;
    }

    [GeneratedRegex(
        """
        \A\s*(?=\S)
        (?:(?<weeks>\d+(?:\.\d+)?)\s*w(?:eeks?)?\s*)?
        (?:(?<days>\d+(?:\.\d+)?)\s*d(?:ays?)?\s*)?
        (?:(?<hours>\d+(?:\.\d+)?)\s*h(?:ours?|rs?)?\s*)?
        (?:(?<minutes>\d+(?:\.\d+)?)\s*m(?:in(?:ute)?s?)?(?!s)\s*)?
        (?:(?<seconds>\d+(?:\.\d+)?)\s*s(?:ec(?:ond)?s?)?\s*)?
        (?:(?<milliseconds>\d+(?:\.\d+)?)\s*ms\s*)?
        \z
        """,
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Units();

    [GeneratedRegex(
        """
        \A\s*P(?=[\dT])
        (?:(?<weeks>\d+(?:\.\d+)?)W)?
        (?:(?<days>\d+(?:\.\d+)?)D)?
        (?:T(?=\d)
          (?:(?<hours>\d+(?:\.\d+)?)H)?
          (?:(?<minutes>\d+(?:\.\d+)?)M)?
          (?:(?<seconds>\d+(?:\.\d+)?)S)?
        )?
        \s*\z
        """,
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Iso();
}
