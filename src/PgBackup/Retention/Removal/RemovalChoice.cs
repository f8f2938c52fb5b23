using PgBackup.Errors;

namespace PgBackup.Retention.Removal;

/// <summary>Which of some named backups can go.</summary>
internal sealed class RemovalChoice(string location, IReadOnlyList<RetentionBackup> all, bool includeDependent, bool force)
{
    /// <summary>Those that can go, with what goes along, oldest first; and why the others cannot.</summary>
    public (IReadOnlyList<RetentionBackup> Going, IReadOnlyList<PgBackupException> Refused) Of(IReadOnlyCollection<string> names, DateTimeOffset now)
    {
        var byName = all.ToDictionary(static b => b.Name, StringComparer.Ordinal);
        var wanted = names.ToHashSet(StringComparer.Ordinal);
        var going = new Dictionary<string, RetentionBackup>(StringComparer.Ordinal);
        var refused = new List<PgBackupException>();
        foreach (string name in wanted)
        {
            if (!byName.TryGetValue(name, out RetentionBackup? backup))
                refused.Add(PgErrors.BackupNotFound(name, location));
            else if (Family(backup, wanted, now, out IReadOnlyList<RetentionBackup> family) is { } reason)
                refused.Add(reason);
            else
                family.ToList().ForEach(member => going[member.Name] = member);
        }
        RefuseLast(going, refused);
        return ([.. going.Values.OrderBy(static b => b.StartTime ?? DateTimeOffset.MaxValue).ThenBy(static b => b.Chain.Count)], refused);
    }

    private PgBackupException? Family(RetentionBackup backup, HashSet<string> wanted, DateTimeOffset now, out IReadOnlyList<RetentionBackup> family)
    {
        RetentionBackup[] members = [.. all.Where(b => b.Chain.Contains(backup.Name) || RestsByName(b, backup))];
        family = members;
        if (backup.Status is BackupStatus.InProgress or BackupStatus.Unfinished)
            return PgErrors.RemovalOfUnfinished(backup.Name, location);
        if (members.FirstOrDefault(m => m != backup && !wanted.Contains(m.Name)) is { } dependent && !includeDependent)
            return PgErrors.BackupHasDependents(backup.Name, dependent.Name, members.Length - 1, location);
        if (members.FirstOrDefault(m => m.IsPermanent || m.LockedUntil > now) is { } locked)
            return PgErrors.BackupLocked(locked.Name, locked.IsPermanent ? null : locked.LockedUntil, location);
        return members.FirstOrDefault(static m => m.Status == BackupStatus.InProgress) is { } running ? PgErrors.RemovalOfUnfinished(running.Name, location) : null;
    }

    // Of one whose sentinel cannot be read the name tells on which segment it rests.
    private static bool RestsByName(RetentionBackup delta, RetentionBackup backup) =>
        !delta.IsFull && delta.Chain.Count == 1 && BackupName.TryParse(delta.Name, out BackupName? told) && BackupName.TryParse(backup.Name, out BackupName? below) && told.ParentSegment == below.Segment;

    private void RefuseLast(Dictionary<string, RetentionBackup> going, List<PgBackupException> refused)
    {
        if (force)
            return;
        foreach (IGrouping<string, RetentionBackup> group in going.Values.Where(static b => b.IsGood).GroupBy(static b => b.Group).ToArray())
        {
            if (all.Any(b => b.Group == group.Key && b.IsGood && !going.ContainsKey(b.Name)))
                continue;
            RetentionBackup newest = group.MaxBy(static b => b.StartTime)!;
            refused.Add(PgErrors.LastBackup(newest.Name, newest.Group, location));
            foreach (string name in newest.Chain)
                going.Remove(name);
        }
    }
}
