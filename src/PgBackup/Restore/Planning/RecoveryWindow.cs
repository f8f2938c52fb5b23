namespace PgBackup;

/// <summary>A stretch of a cluster's past that can be brought back without a break: from the first consistent point of a backup to the end of its WAL.</summary>
public sealed record RecoveryWindow
{
    /// <summary>The timeline along which it is reached (its ancestors included).</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>The first consistent point.</summary>
    public required Lsn StartLsn { get; init; }

    /// <summary>The earliest time to restore to (UTC).</summary>
    public required DateTimeOffset StartTime { get; init; }

    /// <summary>The last point.</summary>
    public required Lsn EndLsn { get; init; }

    /// <summary>When the last archived transaction ended (UTC): the latest time to restore to lies just before it. Null when none ended after the backup.</summary>
    public DateTimeOffset? EndTime { get; init; }

    /// <summary>How long it is.</summary>
    public TimeSpan? Duration => EndTime - StartTime;

    /// <summary>The backups in it, oldest first.</summary>
    public required IReadOnlyList<string> Backups { get; init; }

    /// <summary>How many backups lie in it.</summary>
    public int BackupCount => Backups.Count;

    /// <summary>The segment whose absence ends the window, when the archive goes on behind it; null at the end of the archive.</summary>
    public string? MissingSegment { get; init; }

    /// <summary>The cluster.</summary>
    public ulong? SystemIdentifier { get; init; }

    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }
}
