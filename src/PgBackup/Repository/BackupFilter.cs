namespace PgBackup.Repository;

/// <summary>Which backups of a catalogue are wanted.</summary>
public sealed record BackupFilter
{
    /// <summary>Only those whose name it takes; null for all.</summary>
    public Func<string, bool>? IsNamed { get; init; }

    /// <summary>Only this type, which databases' backups have none of; null for both.</summary>
    public BackupType? Type { get; init; }

    /// <summary>Only those of a database that it takes; null for all.</summary>
    public Func<string, bool>? IsDatabase { get; init; }

    /// <summary>Only those with a label that it takes; null for all.</summary>
    public Func<string, bool>? IsLabel { get; init; }

    /// <summary>Only those that began at this time or later.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Only those that began before this time.</summary>
    public DateTimeOffset? Before { get; init; }

    /// <summary>Only the newest complete one of what is left.</summary>
    public bool LatestOnly { get; init; }

    /// <summary>The backups that are wanted, in the order given (a catalogue's is oldest first).</summary>
    public IReadOnlyList<ClusterBackup> Apply(IReadOnlyList<ClusterBackup> backups) => Newest(
        [.. backups.Where(b => IsDatabase is null && IsLabel is null && (Type is null || b.Type == Type) && Takes(b.Name, b.StartTime))], static b => b.Status);

    /// <summary>The backups that are wanted, in the order given (a catalogue's is oldest first).</summary>
    public IReadOnlyList<DatabaseBackup> Apply(IReadOnlyList<DatabaseBackup> backups) => Newest(
        [.. backups.Where(b => Type is null
            && (IsDatabase is null || (b.Database is { } database && IsDatabase(database)))
            && (IsLabel is null || (b.Label is { } label && IsLabel(label)))
            && Takes(b.Name, b.StartTime))],
        static b => b.Status);

    private bool Takes(string name, DateTimeOffset? start) => (IsNamed is null || IsNamed(name)) && (Since is null || start >= Since) && (Before is null || start < Before);

    private List<T> Newest<T>(List<T> wanted, Func<T, BackupStatus> statusOf)
        where T : class
    {
        if (!LatestOnly)
            return wanted;
        T? latest = wanted.FindLast(b => statusOf(b) == BackupStatus.Complete);
        return latest is null ? [] : [latest];
    }
}
