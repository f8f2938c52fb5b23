namespace PgBackup.Repository;

/// <summary>Which backups of a catalogue are wanted.</summary>
public sealed record BackupFilter
{
    /// <summary>Only this type; null for both.</summary>
    public BackupType? Type { get; init; }

    /// <summary>Only those that began at this time or later.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Only those that began before this time.</summary>
    public DateTimeOffset? Before { get; init; }

    /// <summary>Only the newest complete one of what is left.</summary>
    public bool LatestOnly { get; init; }

    /// <summary>The backups that are wanted, in the order given (a catalogue's is oldest first).</summary>
    /// <param name="backups">The catalogue.</param>
    /// <param name="isNamed">Whether a name is wanted; null for all.</param>
    public IReadOnlyList<ClusterBackup> Apply(IReadOnlyList<ClusterBackup> backups, Func<string, bool>? isNamed = null)
    {
        List<ClusterBackup> wanted = [.. backups.Where(b =>
            (isNamed is null || isNamed(b.Name))
            && (Type is null || b.Type == Type)
            && (Since is null || b.StartTime >= Since)
            && (Before is null || b.StartTime < Before))];
        if (!LatestOnly)
            return wanted;
        ClusterBackup? latest = wanted.FindLast(b => b.Status == BackupStatus.Complete);
        return latest is null ? [] : [latest];
    }
}
