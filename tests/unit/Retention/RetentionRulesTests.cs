using PgBackup.Errors;
using PgBackup.Retention;
using static PgBackup.Tests.Retention.RetentionScene;

namespace PgBackup.Tests.Retention;

public sealed class RetentionRulesTests
{
    private readonly RetentionScene _scene = new();

    /// <summary>A backup an hour for a year, retention once a day; what is there on the first of January was worked out by hand.</summary>
    [Fact]
    public void AYearOfHourlyBackupsLeavesWhatTheCalendarSays()
    {
        var policy = new RetentionPolicy { KeepHourly = 24, KeepDaily = 7, KeepWeekly = 4, KeepMonthly = 12, KeepYearly = 7 };
        ulong segment = 1;
        for (DateTimeOffset time = At("2025-01-01 00:00"); time <= At("2026-01-01 00:00"); time = time.AddHours(1))
        {
            _scene.Add(time, segment += 2);
            if (time.Hour == 0)
                _scene.Apply(_scene.Decide(policy, time.AddMinutes(30)));
        }

        string[] expected =
        [
            "2025-02-28 23:00", "2025-03-31 23:00", "2025-04-30 23:00", "2025-05-31 23:00", "2025-06-30 23:00", "2025-07-31 23:00", "2025-08-31 23:00", "2025-09-30 23:00", "2025-10-31 23:00",
            "2025-11-30 23:00", "2025-12-14 23:00", "2025-12-21 23:00", "2025-12-26 23:00", "2025-12-27 23:00", "2025-12-28 23:00", "2025-12-29 23:00", "2025-12-30 23:00",
            "2025-12-31 01:00", "2025-12-31 02:00", "2025-12-31 03:00", "2025-12-31 04:00", "2025-12-31 05:00", "2025-12-31 06:00", "2025-12-31 07:00", "2025-12-31 08:00", "2025-12-31 09:00",
            "2025-12-31 10:00", "2025-12-31 11:00", "2025-12-31 12:00", "2025-12-31 13:00", "2025-12-31 14:00", "2025-12-31 15:00", "2025-12-31 16:00", "2025-12-31 17:00", "2025-12-31 18:00",
            "2025-12-31 19:00", "2025-12-31 20:00", "2025-12-31 21:00", "2025-12-31 22:00", "2025-12-31 23:00", "2026-01-01 00:00",
        ];
        Assert.Equal(expected, _scene.Backups.Select(Short));
        IReadOnlyList<RetentionDecision> last = _scene.Decide(policy, At("2026-01-01 00:30"));
        Assert.Equal("kept: hourly 2025-12-31 23h+00:00; daily 2025-12-31; monthly 2025-12; yearly 2025", last[^2].Reason);
        Assert.Equal("kept: weekly 2025-W50", last.Single(d => d.StartTime == At("2025-12-14 23:00")).Reason);
    }

    /// <summary>A daily full, a delta every six hours, the standard tiers, three years; by hand: chains stay as far as a kept delta needs them.</summary>
    [Fact]
    public void ThreeYearsOfDailyFullsAndDeltasUnderTheStandardTiers()
    {
        ulong segment = 1;
        RetentionBackup full = null!;
        for (DateTimeOffset time = At("2023-01-01 01:00"); time < At("2026-01-01 00:00"); time = time.AddHours(6))
        {
            segment += 2;
            if (time.Hour == 1)
                full = _scene.Add(time, segment);
            else
                _scene.Add(time, segment, _scene.Backups[^1].Timeline == full.Timeline ? _scene.Backups[^1] : full);
            if (time.Hour == 19)
                _scene.Apply(_scene.Decide(RetentionPolicy.Standard, time.AddHours(1)));
        }

        // The last delta of a period is the third on its full, and needs the two before it.
        string[] lasts =
        [
            "2023-12-31", "2024-12-31", "2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30", "2025-05-31", "2025-06-30", "2025-07-31", "2025-08-31", "2025-09-30", "2025-10-31", "2025-11-30",
            "2025-12-14", "2025-12-21", "2025-12-25", "2025-12-26", "2025-12-27", "2025-12-28", "2025-12-29", "2025-12-30", "2025-12-31",
        ];
        Assert.Equal(lasts.SelectMany(day => new[] { "01:00", "07:00", "13:00", "19:00" }.Select(hour => $"{day} {hour}")), _scene.Backups.Select(Short));
        RetentionDecision oldest = _scene.Decide(RetentionPolicy.Standard, At("2025-12-31 20:00"))[0];
        Assert.StartsWith("kept: full under kept delta base_", oldest.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void WeeksAreIsoAndDaysBeginWhereTheZoneSays()
    {
        _scene.Add(At("2024-12-29 12:00"), 1);
        _scene.Add(At("2024-12-29 23:30"), 3); // Sunday in UTC, Monday in Berlin: the first week of 2025.

        RetentionDecision[] utc = [.. _scene.Decide(new RetentionPolicy { KeepWeekly = 2 }, At("2025-01-02"))];
        RetentionDecision[] berlin = [.. _scene.Decide(new RetentionPolicy { KeepWeekly = 2, TimeZone = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin") }, At("2025-01-02"))];

        Assert.Contains("weekly 2024-W52", utc[1].Reason, StringComparison.Ordinal);
        Assert.Equal(RetentionAction.Remove, utc[0].Action);
        Assert.Contains("weekly 2025-W01", berlin[1].Reason, StringComparison.Ordinal);
        Assert.Contains("weekly 2024-W52", berlin[0].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void TheHourThatComesTwiceCountsTwice()
    {
        _scene.Add(At("2025-10-26 00:30"), 1); // 02:30 in Berlin, in summer
        _scene.Add(At("2025-10-26 01:30"), 3); // and in winter
        var policy = new RetentionPolicy { KeepHourly = 2, TimeZone = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin") };
        Assert.All(_scene.Decide(policy, At("2025-10-27")), d => Assert.Equal(RetentionAction.Keep, d.Action));
    }

    /// <summary>wal-g's delete retain FULL 7: seven fulls and all since the oldest of them.</summary>
    [Fact]
    public void RetainFullKeepsTheFullsAndAllSinceTheOldest()
    {
        for (int day = 0; day < 10; day++)
        {
            RetentionBackup full = _scene.Add(At("2024-01-01").AddDays(day), (ulong)(day * 10) + 1);
            _scene.Add(At("2024-01-01 12:00").AddDays(day), (ulong)(day * 10) + 5, full);
        }
        IReadOnlyList<RetentionDecision> decisions = _scene.Decide(new RetentionPolicy { KeepFull = 7 }, At("2024-02-01"));
        Assert.Equal(6, decisions.Count(d => d.Action == RetentionAction.Remove));
        Assert.All(decisions, d => Assert.Equal(d.StartTime < At("2024-01-04"), d.Action == RetentionAction.Remove));
    }

    /// <summary>wal-g's delete before FIND_FULL 2024-01-01: the first backup since then is a delta, so its full is found.</summary>
    [Fact]
    public void BeforeFindsTheFullUnderTheFirstBackup()
    {
        RetentionBackup older = _scene.Add(At("2023-12-20"), 1);
        RetentionBackup full = _scene.Add(At("2023-12-30"), 11);
        RetentionBackup inside = _scene.Add(At("2023-12-31"), 15, full);
        RetentionBackup first = _scene.Add(At("2024-01-01 03:00"), 21, inside);
        for (ulong segment = 1; segment < 24; segment++)
            _scene.AddWal(segment, At("2023-12-20").AddHours(12 * segment));

        IReadOnlyList<RetentionDecision> decisions = _scene.Decide(new RetentionPolicy { Before = At("2024-01-01"), WalBuffer = TimeSpan.Zero }, At("2024-01-05"));

        Assert.Equal([older.Name], decisions.Where(d => d is { Action: RetentionAction.Remove, Backup: not null }).Select(d => d.Name));
        Assert.Contains($"since {full.Name}, the full under {first.Name}", decisions.Single(d => d.Name == inside.Name).Reason, StringComparison.Ordinal);
        RetentionDecision wal = decisions.Single(d => d is { Kind: RetentionItemKind.Wal, Action: RetentionAction.Remove });
        Assert.Equal(("000000010000000000000001", "00000001000000000000000A", 10L), (wal.Name, wal.LastSegment, wal.Count));
        Assert.Equal($"removed: older than {full.Name}, the oldest backup that needs it", wal.Reason);
    }

    [Fact]
    public void WithoutABackupSinceThenNothingGoes()
    {
        _scene.Add(At("2023-12-20"), 1);
        _scene.Add(At("2023-12-30"), 11);
        Assert.All(_scene.Decide(new RetentionPolicy { Before = At("2024-01-01") }, At("2024-01-05")), d => Assert.Equal(RetentionAction.Keep, d.Action));
    }

    [Fact]
    public void AWindowKeepsTheBackupBeforeItAndOldFullsKeepTheirOwnWal()
    {
        RetentionBackup yearly = _scene.Add(At("2025-06-30"), 1);
        _scene.Add(At("2025-07-15"), 11);
        RetentionBackup anchor = _scene.Add(At("2025-07-20"), 21);
        RetentionBackup inside = _scene.Add(At("2025-07-28"), 31);
        for (ulong segment = 1; segment < 40; segment++)
            _scene.AddWal(segment, At("2025-06-30").AddHours(16 * segment));
        var policy = new RetentionPolicy { KeepMonthly = 2, RecoveryWindow = TimeSpan.FromDays(7), WalBuffer = TimeSpan.FromDays(1) };

        IReadOnlyList<RetentionDecision> decisions = _scene.Decide(policy, At("2025-07-30"));

        Assert.Equal("kept: monthly 2025-06", decisions[0].Reason);
        Assert.Equal("removed: newer ones stand for its periods", decisions[1].Reason);
        Assert.Contains("the recovery window of 7d begins from it", decisions.Single(d => d.Name == anchor.Name).Reason, StringComparison.Ordinal);
        Assert.Contains("in the recovery window of 7d", decisions.Single(d => d.Name == inside.Name).Reason, StringComparison.Ordinal);
        HashSet<string> gone = RemovedSegments(decisions);
        // Of the old one its two segments; of the rest what was archived a day before the anchor began (16 hours apart: the 29th on the 19th of July at 08:00).
        Assert.Equal(Enumerable.Range(3, 18).Select(n => $"0000000100000000{n:X16}"[..16] + $"{n:X8}"), gone.Order(StringComparer.Ordinal));
        Assert.Contains(decisions, d => d.Reason == $"kept: start to finish of {yearly.Name}" && d.Count == 2);
        Assert.Contains(decisions, d => d.Reason == $"kept: needed to go on from {anchor.Name}" && d.Count == 19);
    }

    [Fact]
    public void WhatMustNotBeTouchedStays()
    {
        RetentionBackup root = _scene.Add(At("2025-01-01"), 1);
        _scene.Add(At("2025-01-02"), 3, root, change: b => b with { IsPermanent = true });
        _scene.Add(At("2025-01-03"), 5, change: b => b with { LockedUntil = At("2025-03-02") });
        _scene.Add(At("2025-01-04"), 7, change: b => b with { LockedUntil = At("2025-02-27") });
        _scene.Add(At("2025-01-05"), 9, change: b => b with { Status = BackupStatus.Damaged, Problem = "Broken." });
        RetentionBackup parent = _scene.Add(At("2025-01-06"), 11);
        _scene.Add(At("2025-01-07"), 13, parent, change: b => b with { Status = BackupStatus.InProgress, StartTime = null, Chain = [b.Name] });
        _scene.Add(At("2025-01-08"), 15);
        _scene.Add(At("2025-02-28"), 17);
        _scene.Add(At("2025-03-09"), 19);

        IReadOnlyList<RetentionDecision> decisions = _scene.Decide(new RetentionPolicy { KeepLast = 1 }, At("2025-03-01"));

        Assert.Equal(["2025-01-04 00:00", "2025-01-08 00:00"], decisions.Where(d => d.Action == RetentionAction.Remove).Select(d => Short(d.Backup!)));
        string ReasonOf(string day) => decisions.Single(d => d.StartTime == At(day)).Reason;
        Assert.Contains("full under kept delta", ReasonOf("2025-01-01"), StringComparison.Ordinal);
        Assert.Equal("kept: permanent", ReasonOf("2025-01-02"));
        Assert.Equal("kept: locked until 2025-03-02 00:00:00Z", ReasonOf("2025-01-03"));
        Assert.Equal("kept: damaged, so that no rule can judge it: Broken.", ReasonOf("2025-01-05"));
        Assert.Contains("as its name tells", ReasonOf("2025-01-06"), StringComparison.Ordinal);
        Assert.Contains("one of the last 1", ReasonOf("2025-02-28"), StringComparison.Ordinal);
        Assert.Equal("kept: dated after now", ReasonOf("2025-03-09"));
    }

    [Fact]
    public void EachClusterAndEachDatabaseHasItsOwnCount()
    {
        _scene.Add(At("2025-01-01"), 100, cluster: 1);
        _scene.Add(At("2025-01-02"), 110, cluster: 1);
        _scene.Add(At("2025-01-03"), 5, cluster: 2); // After pg_upgrade: lower in the log, and on timeline 1 again.
        _scene.AddDump(At("2024-01-01"), "shop");
        _scene.AddDump(At("2024-01-02"), "shop");
        _scene.AddDump(At("2024-01-03"), "shop", ", schema only");
        _scene.AddDump(At("2024-01-04"), "wiki");
        for (ulong segment = 100; segment < 115; segment++)
            _scene.AddWal(segment, At("2025-01-01"), cluster: 1);
        for (ulong segment = 1; segment < 9; segment++)
            _scene.AddWal(segment, At("2025-01-02"), cluster: 2);

        IReadOnlyList<RetentionDecision> decisions = _scene.Decide(new RetentionPolicy { KeepLast = 1, WalBuffer = TimeSpan.Zero }, At("2025-02-01"));

        Assert.Equal(["2025-01-01 00:00", "2024-01-01 00:00"], decisions.Where(d => d is { Action: RetentionAction.Remove, Backup: not null }).Select(d => Short(d.Backup!)));
        HashSet<string> gone = RemovedSegments(decisions);
        Assert.Equal(Enumerable.Range(1, 4).Concat(Enumerable.Range(100, 10)).Select(n => $"0000000100000000{n:X8}"), gone.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void HistoryFilesGoWhenAllBelowTheirTimelineHasGone()
    {
        _scene.Add(At("2025-01-01"), 1);
        _scene.AddHistory(2, 1, (1, Size.StartOf(10)));
        _scene.AddHistory(3, 1, (1, Size.StartOf(10)), (2, Size.StartOf(20)));
        _scene.AddHistory(4, 1, (1, Size.StartOf(10)), (2, Size.StartOf(20)), (3, Size.StartOf(30)));
        _scene.Add(At("2025-01-10"), 25, timeline: 3);
        _scene.AddWal(26, At("2025-01-10"), timeline: 3);

        Assert.DoesNotContain(_scene.Decide(new RetentionPolicy { KeepLast = 2 }, At("2025-02-01")), d => d.Action == RetentionAction.Remove);
        IReadOnlyList<RetentionDecision> decisions = _scene.Decide(new RetentionPolicy { KeepLast = 1 }, At("2025-02-01"));
        Assert.Equal(["00000002.history"], decisions.Where(d => d is { Kind: RetentionItemKind.TimelineHistory, Action: RetentionAction.Remove }).Select(d => d.Name));
    }

    [Fact]
    public void ALeftTimelineGoesWithItsLastBackup()
    {
        _scene.Add(At("2025-01-01"), 1);
        _scene.AddHistory(2, 1, (1, Size.StartOf(10)));
        RetentionBackup current = _scene.Add(At("2025-02-01"), 12, timeline: 2);
        for (ulong segment = 1; segment < 20; segment++)
            _scene.AddWal(segment, At("2025-01-01"));
        for (ulong segment = 10; segment < 16; segment++)
            _scene.AddWal(segment, At("2025-02-01"), timeline: 2);

        IReadOnlyList<RetentionDecision> decisions = _scene.Decide(new RetentionPolicy { KeepLast = 1, WalBuffer = TimeSpan.Zero }, At("2025-03-01"));

        // The two segments of timeline 2 before its backup were archived on the day of the backup.
        Assert.Equal(19, RemovedSegments(decisions).Count);
        Assert.Contains(decisions, d => d is { Kind: RetentionItemKind.Wal, Action: RetentionAction.Remove } && d.Reason == "removed: no kept backup leads to it");
        Assert.Contains(decisions, d => d.Reason == $"kept: needed to go on from {current.Name}");
    }

    [Fact]
    public void APolicyThatKeepsNothingIsRefused()
    {
        PgBackupException error = Assert.Throws<PgBackupException>(() => _scene.Decide(new RetentionPolicy { MinimumFull = 3 }, At("2025-01-01")));
        Assert.Equal("RetentionPolicyInvalid", error.Id);
        Assert.Throws<PgBackupException>(() => new RetentionPolicy { KeepDaily = -1 }.Require());
        Assert.Throws<PgBackupException>(() => new RetentionPolicy { KeepDaily = 1, MinimumFull = 0 }.Require());
        Assert.Equal("7 daily, 4 weekly, 12 monthly, 7 yearly", RetentionPolicy.Standard.Require().ToString());
    }

    private static string Short(RetentionBackup backup) => backup.StartTime!.Value.UtcDateTime.ToString("yyyy-MM-dd HH:mm", System.Globalization.CultureInfo.InvariantCulture);
}
