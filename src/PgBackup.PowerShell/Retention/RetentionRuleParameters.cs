using System.Management.Automation;
using PgBackup.PowerShell.Parameters;
using PgBackup.Retention;

namespace PgBackup.PowerShell.Retention;

/// <summary>The parameters that make up a policy: the same for every cmdlet that takes one, as PowerShell's dynamic parameters.</summary>
public sealed class RetentionRuleParameters
{
    /// <summary>The standard tiers: 7 daily, 4 weekly, 12 monthly, 7 yearly. A tier that is given too goes before its number.</summary>
    [Parameter]
    public SwitchParameter Standard { get; set; }

    /// <summary>Keeps so many of the newest backups.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? KeepLast { get; set; }

    /// <summary>Keeps the newest backup of each of the so many newest hours that have one.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? KeepHourly { get; set; }

    /// <summary>Keeps the newest backup of each of the so many newest days that have one.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? KeepDaily { get; set; }

    /// <summary>Keeps the newest backup of each of the so many newest weeks (ISO 8601) that have one.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? KeepWeekly { get; set; }

    /// <summary>Keeps the newest backup of each of the so many newest months that have one.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? KeepMonthly { get; set; }

    /// <summary>Keeps the newest backup of each of the so many newest years that have one.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? KeepYearly { get; set; }

    /// <summary>Keeps every backup that is no older.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan? KeepWithin { get; set; }

    /// <summary>Keeps what it takes to restore to any moment of so long a time.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan? RecoveryWindow { get; set; }

    /// <summary>Keeps so many full backups, and everything since the oldest of them.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? KeepFull { get; set; }

    /// <summary>Keeps everything since the full under the first backup of this time or later, or under the backup of this name.</summary>
    [Parameter]
    [BeforeTransform]
    public object? Before { get; set; }

    /// <summary>So many full backups of each cluster stay in any case.</summary>
    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? MinimumFull { get; set; }

    /// <summary>WAL that was archived so long before the oldest backup that needs WAL stays too; a day when it is not given.</summary>
    [Parameter]
    [DurationTransform]
    public TimeSpan? WalBuffer { get; set; }

    /// <summary>Where days, weeks, months and years begin; UTC when it is not given.</summary>
    [Parameter]
    [TimeZoneTransform]
    public TimeZoneInfo? TimeZone { get; set; }

    /// <summary>The policy: what is given here, on top of one that was made before. Throws <c>RetentionPolicyInvalid</c>.</summary>
    internal RetentionPolicy ToPolicy(RetentionPolicy? given)
    {
        RetentionPolicy start = given ?? new RetentionPolicy();
        if (Standard)
        {
            RetentionPolicy standard = RetentionPolicy.Standard;
            start = start with { KeepDaily = standard.KeepDaily, KeepWeekly = standard.KeepWeekly, KeepMonthly = standard.KeepMonthly, KeepYearly = standard.KeepYearly };
        }
        object? before = Before is PSObject wrapped ? wrapped.BaseObject : Before;
        return (start with
        {
            KeepLast = KeepLast ?? start.KeepLast,
            KeepHourly = KeepHourly ?? start.KeepHourly,
            KeepDaily = KeepDaily ?? start.KeepDaily,
            KeepWeekly = KeepWeekly ?? start.KeepWeekly,
            KeepMonthly = KeepMonthly ?? start.KeepMonthly,
            KeepYearly = KeepYearly ?? start.KeepYearly,
            KeepWithin = KeepWithin ?? start.KeepWithin,
            RecoveryWindow = RecoveryWindow ?? start.RecoveryWindow,
            KeepFull = KeepFull ?? start.KeepFull,
            Before = before is DateTimeOffset time ? time : before is string ? null : start.Before,
            BeforeBackup = before is string name ? name : before is DateTimeOffset ? null : start.BeforeBackup,
            MinimumFull = MinimumFull ?? start.MinimumFull,
            WalBuffer = WalBuffer ?? start.WalBuffer,
            TimeZone = TimeZone ?? start.TimeZone,
        }).Require();
    }
}
