using FsCheck;
using FsCheck.Fluent;
using PgBackup.Retention;
using static PgBackup.Tests.Retention.RetentionScene;

namespace PgBackup.Tests.Retention;

/// <summary>Random histories: clusters, timelines, chains, marks, gaps, wrong clocks. What is told here of a decision is worked out again from the history, by plainer means.</summary>
public sealed class RetentionPropertyTests
{
    private const int Histories = 400;
    private static readonly RetentionPeriod[] s_periods = Enum.GetValues<RetentionPeriod>();

    [Fact]
    public void WhatIsKeptRestoresAndNothingPromisedGoes() => Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
    {
        var history = new RandomHistory(seed);
        RetentionPolicy policy = history.Policy();
        IReadOnlyList<RetentionDecision> decisions = history.Scene.Decide(policy, history.Now);
        var kept = decisions.Where(d => d is { Action: RetentionAction.Keep, Backup: not null }).ToDictionary(d => d.Name, d => d.Backup!);
        HashSet<string> removedWal = RemovedSegments(decisions);
        var all = history.Scene.Backups.ToDictionary(b => b.Name);

        foreach (RetentionBackup backup in kept.Values)
        {
            foreach (string member in backup.Chain)
                Assert.True(kept.ContainsKey(member) || !all.ContainsKey(member), $"{seed}: {member} of the chain of {backup.Name} is gone.");
            for (ulong n = Size.SegmentNumberOf(backup.StartLsn!.Value); n <= Size.SegmentNumberOf(backup.FinishLsn!.Value); n++)
                Assert.False(history.IsRemoved(removedWal, backup.SystemIdentifier!.Value, backup.Timeline, n), $"{seed}: segment {n} of {backup.Name} is gone.");
        }
        foreach (RetentionBackup backup in history.Scene.Backups.Where(b => b.IsPermanent || b.LockedUntil > history.Now || b.Status != BackupStatus.Complete || b.StartTime > history.Now))
            Assert.True(kept.ContainsKey(backup.Name), $"{seed}: {backup.Name} must not be touched.");
        foreach (IGrouping<string, RetentionBackup> group in history.Scene.Backups.GroupBy(b => b.Group))
            RequireGroup(seed, policy, history, [.. group], kept, removedWal);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(Histories));

    [Fact]
    public void TheSecondRunFindsNothingToDo() => Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
    {
        var history = new RandomHistory(seed);
        RetentionPolicy policy = history.Policy();
        history.Scene.Apply(history.Scene.Decide(policy, history.Now));
        RetentionDecision? again = history.Scene.Decide(policy, history.Now).FirstOrDefault(d => d.Action == RetentionAction.Remove);
        Assert.True(again is null, $"{seed}: {again?.Kind} {again} {again?.Reason}");
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(Histories));

    private static void RequireGroup(int seed, RetentionPolicy policy, RandomHistory history, RetentionBackup[] group, Dictionary<string, RetentionBackup> kept, HashSet<string> removedWal)
    {
        RetentionBackup[] good = [.. group.Where(b => b.Status == BackupStatus.Complete && b.StartTime <= history.Now).OrderByDescending(b => b.StartTime)];
        if (good.Length == 0)
        {
            Assert.DoesNotContain(group, b => !kept.ContainsKey(b.Name));
            return;
        }
        Assert.True(kept.ContainsKey(good[0].Name), $"{seed}: the newest is gone.");
        Assert.All(good.Where(b => b.IsFull).Take(policy.MinimumFull), b => Assert.True(kept.ContainsKey(b.Name), $"{seed}: one of the newest fulls is gone."));
        Assert.All(good.Take(policy.KeepLast ?? 0), b => Assert.True(kept.ContainsKey(b.Name), $"{seed}: one of the last is gone."));
        int?[] tiers = [policy.KeepHourly, policy.KeepDaily, policy.KeepWeekly, policy.KeepMonthly, policy.KeepYearly];
        for (int i = 0; i < tiers.Length; i++)
        {
            foreach (IGrouping<string, RetentionBackup> period in good.GroupBy(b => Period(s_periods[i], b.StartTime!.Value, policy.TimeZone)).Take(tiers[i] ?? 0))
                Assert.True(kept.ContainsKey(period.First().Name), $"{seed}: the newest of {period.Key} is gone.");
        }
        if (policy.RecoveryWindow is not { } window)
            return;
        // The window, along the timeline that is written now: its first moment is reached from the newest backup before it, and all WAL since that one is there.
        DateTimeOffset begin = history.Now - window;
        ulong cluster = group[0].SystemIdentifier!.Value;
        RetentionBackup[] onPath = [.. good.Where(b => history.IsOnCurrentPath(b))];
        foreach (RetentionBackup inside in onPath.Where(b => b.FinishTime >= begin))
            Assert.True(kept.ContainsKey(inside.Name), $"{seed}: {inside.Name} lies in the window.");
        if (!history.IsAlive(cluster, begin) || onPath.Where(b => b.FinishTime < begin).MaxBy(b => b.FinishTime) is not { } anchor)
            return;
        Assert.True(kept.ContainsKey(anchor.Name), $"{seed}: the window begins from {anchor.Name}.");
        foreach ((TimelineId timeline, ulong segment) in history.CurrentPath(cluster).Where(s => s.Segment >= Size.SegmentNumberOf(anchor.StartLsn!.Value)))
            Assert.False(history.IsRemoved(removedWal, cluster, timeline, segment), $"{seed}: segment {segment} of timeline {timeline} lies in the window.");
    }

    private static string Period(RetentionPeriod period, DateTimeOffset time, TimeZoneInfo zone)
    {
        DateTimeOffset local = TimeZoneInfo.ConvertTime(time, zone);
        DateTime monday = local.Date.AddDays(-(((int)local.DayOfWeek + 6) % 7));
        return period switch
        {
            RetentionPeriod.Hour => $"{local.Date:d} {local.Hour} {local.Offset}",
            RetentionPeriod.Day => $"{local.Date:d}",
            RetentionPeriod.Week => $"{monday:d}",
            RetentionPeriod.Month => $"{local.Year}-{local.Month}",
            _ => $"{local.Year}",
        };
    }
}
