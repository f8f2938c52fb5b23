using System.Globalization;

namespace PgBackup.Verification;

/// <summary>How findings spell numbers and times.</summary>
internal static class Text
{
    /// <summary>A number with its noun: <c>no objects</c>, <c>1 object</c>, <c>1,200 objects</c>.</summary>
    public static string Count(long number, string one, string many) => number switch
    {
        0 => $"no {many}",
        1 => $"1 {one}",
        _ => string.Create(CultureInfo.InvariantCulture, $"{number:N0} {many}"),
    };

    /// <summary>A span in its largest unit: <c>3 days</c>, <c>5 hours</c>, <c>40 seconds</c>.</summary>
    public static string Span(TimeSpan span) => span.Duration() switch
    {
        { TotalDays: >= 2 } d => $"{(int)d.TotalDays} days",
        { TotalHours: >= 2 } d => $"{(int)d.TotalHours} hours",
        { TotalMinutes: >= 2 } d => $"{(int)d.TotalMinutes} minutes",
        { TotalSeconds: >= 2 } d => $"{(int)d.TotalSeconds} seconds",
        { } d => $"{(int)d.TotalMilliseconds} ms",
    };

    /// <summary>The first few, and how many more there are.</summary>
    public static string Some(IReadOnlyCollection<string> names, int most = 3)
    {
        string shown = string.Join(", ", names.Take(most).Select(n => $"'{n}'"));
        return names.Count <= most ? shown : $"{shown} and {Count(names.Count - most, "other", "others")}";
    }
}
