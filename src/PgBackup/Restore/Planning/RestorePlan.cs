using PgBackup.Restore.Fetching;

namespace PgBackup;

/// <summary>A part of the log that a restore replays: what one timeline contributes.</summary>
/// <param name="Timeline">The timeline.</param>
/// <param name="From">Where replay on it begins.</param>
/// <param name="To">Where it is left for the next one; null for the last.</param>
public sealed record TimelineStep(TimelineId Timeline, Lsn From, Lsn? To)
{
    /// <summary><c>1: 0/2000028 to 0/5000000</c></summary>
    public override string ToString() => To is null ? $"{Timeline}: from {From}" : $"{Timeline}: {From} to {To}";
}

/// <summary>How a target will be reached: proven from what the repository holds, before anything is written.</summary>
public sealed record RestorePlan
{
    /// <summary>The target.</summary>
    public required RestoreTarget Target { get; init; }

    /// <summary>The name of the backup that is restored.</summary>
    public required string Name { get; init; }

    /// <summary>The backup.</summary>
    public required ClusterBackup Backup { get; init; }

    /// <summary>The names of the backups that are read, the full one first.</summary>
    public required IReadOnlyList<string> Chain { get; init; }

    /// <summary>The timeline that recovery follows.</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>The way over the timelines.</summary>
    public required IReadOnlyList<TimelineStep> TimelinePath { get; init; }

    /// <summary>The first segment that is needed.</summary>
    public required string FirstSegment { get; init; }

    /// <summary>The last segment that is needed.</summary>
    public required string LastSegment { get; init; }

    /// <summary>How many segments are needed.</summary>
    public required int SegmentCount { get; init; }

    /// <summary>Their bytes as stored.</summary>
    public required ByteSize WalSize { get; init; }

    /// <summary>Where the backup becomes consistent.</summary>
    public required Lsn ConsistentLsn { get; init; }

    /// <summary>Where replay will stop.</summary>
    public required Lsn ReachedLsn { get; init; }

    /// <summary>The last transaction that will be there ended at this time (UTC); null when none ended after the backup.</summary>
    public DateTimeOffset? ReachedTime { get; init; }

    /// <summary>The same by this machine's clock.</summary>
    public DateTimeOffset? ReachedLocalTime => ReachedTime?.ToLocalTime();

    /// <summary>What the server does at the target.</summary>
    public required RecoveryTargetAction TargetAction { get; init; }

    /// <summary>Where the files go; null for a plan without a destination.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>The tablespaces.</summary>
    public IReadOnlyList<RestoredTablespace> Tablespaces { get; init; } = [];

    /// <summary>The folders of tablespaces that replay makes; empty when nobody asked.</summary>
    internal IReadOnlyList<string> NewTablespaces { get; init; } = [];

    /// <summary>The size of the cluster's segments.</summary>
    internal WalSegmentSize SegmentSize { get; init; }

    /// <summary>The bytes that the restore needs.</summary>
    public required ByteSize RequiredSpace { get; init; }

    /// <summary>The bytes that are free at the destination; null for a plan without one.</summary>
    public ByteSize? AvailableSpace { get; init; }

    /// <summary>The settings that recovery will run with, as they are written.</summary>
    public required IReadOnlyDictionary<string, string> RecoverySettings { get; init; }

    /// <summary>What needs attention.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }

    /// <summary><c>base_… to time …</c></summary>
    public override string ToString() => $"{Name} to {Target}";
}
