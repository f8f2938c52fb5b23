using System.Globalization;

namespace PgBackup.Retention.Rules;

/// <summary>
/// Applies a policy to the backups of one group. Only recorded start times count, never names; of what is not complete, or dated after now, no rule makes anything stay or go: it stays.
/// </summary>
internal sealed class BackupRules
{
    private readonly RetentionPolicy _policy;
    private readonly DateTimeOffset _now;
    private readonly IReadOnlyList<RetentionBackup> _all;

    // Good, not dated after now, newest first.
    private readonly List<RetentionBackup> _good;
    private readonly Dictionary<string, List<string>> _reasons = new(StringComparer.Ordinal);
    private readonly HashSet<string> _horizon = new(StringComparer.Ordinal);

    private BackupRules(RetentionPolicy policy, IReadOnlyList<RetentionBackup> group, DateTimeOffset now)
    {
        (_policy, _now, _all) = (policy, now, group);
        _good = [.. group.Where(b => b.IsGood && b.StartTime <= now).OrderByDescending(b => b.StartTime!.Value).ThenByDescending(b => b.FinishLsn ?? Lsn.Zero).ThenByDescending(b => b.Name, StringComparer.Ordinal)];
    }

    /// <summary>Decides; the log of the group's cluster tells from which backups the recovery window begins.</summary>
    public static GroupVerdict Apply(RetentionPolicy policy, IReadOnlyList<RetentionBackup> group, WindowTimelines? timelines, DateTimeOffset now)
    {
        var rules = new BackupRules(policy, group, now);
        rules.KeepByCount();
        rules.KeepByTier();
        rules.KeepByTime();
        rules.KeepSince();
        rules.KeepWindow(timelines);
        // Neither a clock that was wrong once nor a policy takes the last good one.
        rules.KeepNewest();
        rules.CloseChains(toHorizon: policy.RecoveryWindow is null); // Of all that rules keep: the WAL since the oldest of them stays.
        rules.KeepUntouchables();
        rules.CloseChains(toHorizon: false);
        return rules.Verdict();
    }

    private void KeepByCount()
    {
        for (int i = 0; i < Math.Min(_policy.KeepLast ?? 0, _good.Count); i++)
            Keep(_good[i], string.Create(CultureInfo.InvariantCulture, $"one of the last {_policy.KeepLast}"));
        foreach (RetentionBackup full in _good.Where(static b => b.IsFull).Take(_policy.MinimumFull))
            Keep(full, _policy.MinimumFull == 1 ? "the newest full" : string.Create(CultureInfo.InvariantCulture, $"one of the {_policy.MinimumFull} newest fulls"));
    }

    private void KeepByTier()
    {
        foreach ((RetentionPeriod period, int count) in _policy.Tiers)
        {
            var seen = new HashSet<string>(StringComparer.Ordinal);
            foreach (RetentionBackup backup in _good)
            {
                string name = RetentionPeriods.NameOf(period, backup.StartTime!.Value, _policy.TimeZone);
                if (seen.Contains(name))
                    continue;
                if (seen.Count == count)
                    break;
                seen.Add(name);
                Keep(backup, $"{RetentionPeriods.TierOf(period)} {name}");
            }
        }
    }

    private void KeepByTime()
    {
        if (_policy.KeepWithin is not { } within)
            return;
        foreach (RetentionBackup backup in _good.Where(b => IsWithin(b.StartTime!.Value, within)))
            Keep(backup, $"within {RetentionText.Span(within)}");
    }

    private void KeepSince()
    {
        if (_policy.KeepFull is > 0 and { } count)
        {
            RetentionBackup[] fulls = [.. _good.Where(static b => b.IsFull).Take(count)];
            if (fulls.Length < count)
                KeepFrom(DateTimeOffset.MinValue, string.Create(CultureInfo.InvariantCulture, $"there are no more than {fulls.Length} fulls, {count} are kept"));
            else
                KeepFrom(fulls[^1].StartTime!.Value, string.Create(CultureInfo.InvariantCulture, $"since the oldest of {count} fulls, {fulls[^1].Name}"));
        }
        if (_policy.Before is not null || _policy.BeforeBackup is not null)
        {
            RetentionBackup? first = _policy.BeforeBackup is { } name ? _good.Find(b => b.Name == name) : _good.FindLast(b => b.StartTime >= _policy.Before);
            RetentionBackup? root = first is null ? null : _good.Find(b => b.Name == first.Chain[0]);
            if (root is null)
                KeepFrom(DateTimeOffset.MinValue, _policy.BeforeBackup is { } missing ? $"the backup {missing} is not in this group" : $"there is no backup since {RetentionText.Time(_policy.Before!.Value)}");
            else
                KeepFrom(root.StartTime!.Value, root == first ? $"since {root.Name}" : $"since {root.Name}, the full under {first!.Name}");
        }
    }

    private void KeepFrom(DateTimeOffset start, string reason)
    {
        foreach (RetentionBackup backup in _good.Where(b => b.StartTime >= start))
            Keep(backup, reason);
    }

    private void KeepWindow(WindowTimelines? timelines)
    {
        if (_policy.RecoveryWindow is not { } window)
            return;
        string name = $"recovery window of {RetentionText.Span(window)}";
        foreach (RetentionBackup backup in _good.Where(b => IsWithin(b.FinishTime ?? b.StartTime!.Value, window)))
            Keep(backup, $"in the {name}", toHorizon: true);
        RetentionBackup[] before = [.. _good.Where(b => !IsWithin(b.FinishTime ?? b.StartTime!.Value, window))];
        if (timelines is null)
            return; // A dump leads to no other moment than its own.
        foreach (TimelineId timeline in timelines.AliveSince(_now - window))
        {
            RetentionBackup[] leading = [.. before.Where(b => timelines.LeadsTo(b, timeline))];
            // By its time, and by the log where a clock was wrong: each may be the one from which the window's first moment is reached.
            if (leading.MaxBy(static b => b.FinishTime ?? b.StartTime!.Value) is { } byTime)
                Keep(byTime, $"the {name} begins from it", toHorizon: true);
            if (leading.MaxBy(static b => b.FinishLsn ?? Lsn.Zero) is { } byLog)
                Keep(byLog, $"the {name} begins from it", toHorizon: true);
        }
    }

    private void KeepNewest()
    {
        if (_good.Count == 0)
            return;
        Keep(_good[0], "the newest", toHorizon: true);
        if (_good.MaxBy(static b => (b.Timeline, b.FinishLsn ?? Lsn.Zero)) is { Kind: BackupKind.Cluster } byLog && byLog != _good[0])
            Keep(byLog, "the newest by its place in the log", toHorizon: true);
    }

    private void KeepUntouchables()
    {
        foreach (RetentionBackup backup in _all)
        {
            if (backup.Status == BackupStatus.InProgress)
                Keep(backup, "it is being written");
            else if (backup.Status == BackupStatus.Unfinished)
                Keep(backup, "unfinished, and no backup: Optimize-PgBackupRepository removes it");
            else if (!backup.IsGood)
                Keep(backup, $"damaged, so that no rule can judge it: {backup.Problem ?? "it does not say when it began."}");
            else if (backup.StartTime > _now)
                Keep(backup, "dated after now");
            if (backup.HeldBack is { } reason)
                Keep(backup, reason);
            if (backup.IsPermanent)
                Keep(backup, "permanent");
            if (backup.LockedUntil > _now)
                Keep(backup, $"locked until {RetentionText.Time(backup.LockedUntil.Value)}");
        }
    }

    /// <summary>A delta needs all below it; of one whose documents cannot be read, or that is being written, the name tells on which segment it rests.</summary>
    private void CloseChains(bool toHorizon)
    {
        var byName = _all.ToDictionary(static b => b.Name, StringComparer.Ordinal);
        foreach (RetentionBackup backup in _all.Where(b => _reasons.ContainsKey(b.Name)).ToArray())
        {
            foreach (string name in backup.Chain)
            {
                if (name != backup.Name && byName.TryGetValue(name, out RetentionBackup? below))
                    Keep(below, below.IsFull ? $"full under kept delta {backup.Name}" : $"delta under kept delta {backup.Name}", toHorizon && _horizon.Contains(backup.Name), isChain: true);
            }
            if (backup.IsFull || backup.IsGood || backup.Status == BackupStatus.Unfinished || !BackupName.TryParse(backup.Name, out BackupName? told) || told.ParentSegment is not { } segment)
                continue;
            foreach (RetentionBackup below in _all)
            {
                if (below != backup && BackupName.TryParse(below.Name, out BackupName? other) && other.Segment == segment)
                {
                    foreach (string name in below.Chain)
                    {
                        if (byName.TryGetValue(name, out RetentionBackup? member))
                            Keep(member, $"under {backup.Name}, as its name tells", toHorizon: false, isChain: true);
                    }
                }
            }
        }
        if (!toHorizon)
            return;
        foreach (string name in _reasons.Keys)
            _horizon.Add(name);
    }

    private GroupVerdict Verdict()
    {
        DateTimeOffset? oldest = _good.Where(b => _reasons.ContainsKey(b.Name)).Min(static b => b.StartTime);
        var kept = new List<RetentionBackup>();
        var decisions = new List<RetentionDecision>(_all.Count);
        foreach (RetentionBackup backup in _all.OrderBy(static b => b.StartTime ?? DateTimeOffset.MaxValue).ThenBy(static b => b.Name, StringComparer.Ordinal))
        {
            bool isKept = _reasons.TryGetValue(backup.Name, out List<string>? reasons);
            if (isKept)
                kept.Add(backup);
            decisions.Add(new RetentionDecision
            {
                Name = backup.Name,
                Kind = backup.Kind switch { BackupKind.Cluster => RetentionItemKind.Cluster, BackupKind.Database => RetentionItemKind.Database, _ => RetentionItemKind.Config },
                Group = backup.Group,
                Action = isKept ? RetentionAction.Keep : RetentionAction.Remove,
                Reasons = isKept ? reasons! : [backup.StartTime < oldest ? "older than every rule reaches" : "newer ones stand for its periods"],
                StartTime = backup.StartTime,
                Size = backup.Size is { } size ? new ByteSize(size) : null,
                Backup = backup,
            });
        }
        return new GroupVerdict(decisions, kept, [.. kept.Where(b => _horizon.Contains(b.Name))]);
    }

    private bool IsWithin(DateTimeOffset time, TimeSpan span) => _now - time <= span;

    private void Keep(RetentionBackup backup, string reason, bool toHorizon = false, bool isChain = false)
    {
        if (!_reasons.TryGetValue(backup.Name, out List<string>? reasons))
            _reasons[backup.Name] = reasons = [];
        else if (isChain && reasons.Exists(static r => r.Contains(" under kept delta ", StringComparison.Ordinal) || r.StartsWith("under ", StringComparison.Ordinal)))
            reasons = []; // One of its descendants is enough to tell.
        if (!reasons.Contains(reason))
            reasons.Add(reason);
        if (toHorizon)
            _horizon.Add(backup.Name);
    }
}

/// <summary>What the rules say of a group.</summary>
/// <param name="Decisions">Of each backup, oldest first.</param>
/// <param name="Kept">Those that stay: each needs the WAL of its own start and finish.</param>
/// <param name="Continuous">Those of them from which one can go on: all WAL since then stays.</param>
internal sealed record GroupVerdict(IReadOnlyList<RetentionDecision> Decisions, IReadOnlyList<RetentionBackup> Kept, IReadOnlyList<RetentionBackup> Continuous);
