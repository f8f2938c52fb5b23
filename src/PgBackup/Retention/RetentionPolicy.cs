using PgBackup.Retention;
using System.Globalization;
using PgBackup.Errors;

namespace PgBackup;

/// <summary>
/// Which backups stay: those that at least one rule keeps. The tiers (grandfather, father, son) keep the newest backup of each of the newest periods in which there is one. Immutable.
/// </summary>
public sealed record RetentionPolicy
{
    /// <summary>How long before the oldest backup that needs WAL its WAL is kept, when nothing else is said.</summary>
    public static readonly TimeSpan DefaultWalBuffer = TimeSpan.FromDays(1);

    /// <summary>Keeps the newest backups, whatever their age; null for no such rule.</summary>
    public int? KeepLast { get; init; }

    /// <summary>Keeps the newest backup of each of so many hours.</summary>
    public int? KeepHourly { get; init; }

    /// <summary>Keeps the newest backup of each of so many days.</summary>
    public int? KeepDaily { get; init; }

    /// <summary>Keeps the newest backup of each of so many weeks (ISO 8601: from Monday on).</summary>
    public int? KeepWeekly { get; init; }

    /// <summary>Keeps the newest backup of each of so many months.</summary>
    public int? KeepMonthly { get; init; }

    /// <summary>Keeps the newest backup of each of so many years.</summary>
    public int? KeepYearly { get; init; }

    /// <summary>Keeps every backup that is no older.</summary>
    public TimeSpan? KeepWithin { get; init; }

    /// <summary>
    /// Keeps what it takes to restore to any moment of so long a time: the backups in it, the newest one before it, and the WAL since then. Kept backups before it keep the WAL of their own
    /// start and finish only, and are restorable to their end.
    /// </summary>
    public TimeSpan? RecoveryWindow { get; init; }

    /// <summary>Keeps so many full backups, and everything since the oldest of them (wal-g: <c>delete retain FULL n</c>).</summary>
    public int? KeepFull { get; init; }

    /// <summary>Keeps everything since the full backup under the first backup of this time or later (wal-g: <c>delete before FIND_FULL time</c>).</summary>
    public DateTimeOffset? Before { get; init; }

    /// <summary>Keeps everything since the full backup under the backup of this name (wal-g: <c>delete before FIND_FULL name</c>).</summary>
    public string? BeforeBackup { get; init; }

    /// <summary>So many full backups of each cluster stay in any case, and so many backups of each database.</summary>
    public int MinimumFull { get; init; } = 1;

    /// <summary>The WAL that was archived so long before the oldest backup that needs WAL stays too.</summary>
    public TimeSpan WalBuffer { get; init; } = DefaultWalBuffer;

    /// <summary>Where days, weeks, months and years begin.</summary>
    public TimeZoneInfo TimeZone { get; init; } = TimeZoneInfo.Utc;

    /// <summary>The standard tiers: 7 days, 4 weeks, 12 months, 7 years.</summary>
    public static RetentionPolicy Standard => new() { KeepDaily = 7, KeepWeekly = 4, KeepMonthly = 12, KeepYearly = 7 };

    /// <summary>The tiers that are set, the shortest first.</summary>
    internal IEnumerable<(RetentionPeriod Period, int Count)> Tiers
    {
        get
        {
            foreach ((RetentionPeriod period, int? count) in new[]
            {
                (RetentionPeriod.Hour, KeepHourly), (RetentionPeriod.Day, KeepDaily), (RetentionPeriod.Week, KeepWeekly), (RetentionPeriod.Month, KeepMonthly), (RetentionPeriod.Year, KeepYearly),
            })
            {
                if (count is > 0)
                    yield return (period, count.Value);
            }
        }
    }

    /// <summary>Throws <c>RetentionPolicyInvalid</c> for a policy that keeps nothing, or whose numbers make no sense.</summary>
    public RetentionPolicy Require()
    {
        foreach ((string name, int? count) in new[]
        {
            (nameof(KeepLast), KeepLast), (nameof(KeepHourly), KeepHourly), (nameof(KeepDaily), KeepDaily), (nameof(KeepWeekly), KeepWeekly), (nameof(KeepMonthly), KeepMonthly),
            (nameof(KeepYearly), KeepYearly), (nameof(KeepFull), KeepFull),
        })
        {
            if (count < 0)
                throw PgErrors.RetentionPolicyInvalid($"-{name} is {count}", "Give a number of 1 or more, or leave it out.");
        }
        if (MinimumFull < 1)
            throw PgErrors.RetentionPolicyInvalid($"-{nameof(MinimumFull)} is {MinimumFull}", "At least one full backup stays; Remove-PgBackup removes the last one by its name.");
        if (Before is not null && BeforeBackup is not null)
            throw PgErrors.RetentionPolicyInvalid("-Before is a time and a name", "Give one of them.");
        foreach ((string name, TimeSpan? span) in new[] { (nameof(KeepWithin), KeepWithin), (nameof(RecoveryWindow), RecoveryWindow), (nameof(WalBuffer), WalBuffer) })
        {
            if (span < TimeSpan.Zero)
                throw PgErrors.RetentionPolicyInvalid($"-{name} is negative", "Write for example 7d or 36h.");
        }
        bool keeps = KeepLast is > 0 || KeepFull is > 0 || Tiers.Any() || KeepWithin > TimeSpan.Zero || RecoveryWindow > TimeSpan.Zero || Before is not null || BeforeBackup is not null;
        return keeps ? this : throw PgErrors.RetentionPolicyInvalid("no rule keeps anything", "Give at least one of -Standard, -KeepLast, -KeepHourly, -KeepDaily, -KeepWeekly, -KeepMonthly, -KeepYearly, -KeepWithin, -RecoveryWindow, -KeepFull and -Before.");
    }

    /// <summary>The rules in one line, for example <c>7 daily, 4 weekly, window 14.00:00:00</c>.</summary>
    public override string ToString()
    {
        var parts = new List<string>();
        Add(KeepLast, "last");
        Add(KeepHourly, "hourly");
        Add(KeepDaily, "daily");
        Add(KeepWeekly, "weekly");
        Add(KeepMonthly, "monthly");
        Add(KeepYearly, "yearly");
        Add(KeepFull, "full");
        if (KeepWithin is { } within)
            parts.Add($"within {RetentionText.Span(within)}");
        if (RecoveryWindow is { } window)
            parts.Add($"recovery window {RetentionText.Span(window)}");
        if (Before is { } before)
            parts.Add($"since {RetentionText.Time(before)}");
        if (BeforeBackup is not null)
            parts.Add($"since {BeforeBackup}");
        return string.Join(", ", parts);

        void Add(int? count, string what)
        {
            if (count is > 0)
                parts.Add(string.Create(CultureInfo.InvariantCulture, $"{count} {what}"));
        }
    }
}
