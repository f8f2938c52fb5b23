using System.Globalization;

namespace PgBackup.PowerShell.Views;

/// <summary>How cells of the default views print; the properties themselves stay values.</summary>
public static class Format
{
    /// <summary>A time in this machine's zone, to the second, as ISO 8601 writes it but with a blank; nothing for null.</summary>
    public static string Time(DateTimeOffset? time) =>
        time?.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture) ?? "";

    /// <summary>A duration in the unit that fits: <c>250 ms</c>, <c>3.9 s</c>, <c>2m 05s</c>, <c>1h 40m</c>; nothing for null.</summary>
    public static string Duration(TimeSpan? duration) => duration switch
    {
        null => "",
        { TotalSeconds: < 1 } d => string.Create(CultureInfo.InvariantCulture, $"{d.TotalMilliseconds:0} ms"),
        { TotalSeconds: < 60 } d => string.Create(CultureInfo.InvariantCulture, $"{d.TotalSeconds:0.0} s"),
        { TotalMinutes: < 60 } d => string.Create(CultureInfo.InvariantCulture, $"{(int)d.TotalMinutes}m {d.Seconds:00}s"),
        { } d => string.Create(CultureInfo.InvariantCulture, $"{(int)d.TotalHours}h {d.Minutes:00}m"),
    };
}
