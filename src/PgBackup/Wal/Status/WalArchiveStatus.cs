namespace PgBackup;

/// <summary>How archiving is.</summary>
public enum WalArchiveHealth
{
    /// <summary>What the server has finished is in the repository.</summary>
    Ok,

    /// <summary>It works, but something needs attention.</summary>
    Warning,

    /// <summary>WAL does not reach the repository.</summary>
    Failure,

    /// <summary>Nothing archives: archive_mode is off, and no receiver streams into the repository.</summary>
    Off,
}

/// <summary>How WAL leaves the server.</summary>
public enum WalArchiveMethod
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>By archive_command.</summary>
    Command,

    /// <summary>By archive_library.</summary>
    Library,

    /// <summary>By streaming replication alone: archive_mode is off, and a receiver is connected with a physical slot.</summary>
    Streaming,
}

/// <summary>What the server and the repository say of WAL archiving at one moment. Times and ages are by the server's clock.</summary>
public sealed record WalArchiveStatus
{
    /// <summary>The server, as host and port.</summary>
    public required string Server { get; init; }

    /// <summary>The repository; null when none was given.</summary>
    public required string? Repository { get; init; }

    /// <summary>The judgement.</summary>
    public required WalArchiveHealth Status { get; init; }

    /// <summary>Why <see cref="Status"/> is not Ok and what to do next, the gravest first; empty when it is.</summary>
    public required IReadOnlyList<string> Reasons { get; init; }

    /// <summary>What could not be checked, and why; nothing here made <see cref="Status"/> worse.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>How WAL leaves the server.</summary>
    public required WalArchiveMethod Method { get; init; }

    /// <summary>True for a standby.</summary>
    public required bool IsStandby { get; init; }

    /// <summary>wal_level.</summary>
    public required string WalLevel { get; init; }

    /// <summary>archive_mode.</summary>
    public required string ArchiveMode { get; init; }

    /// <summary>archive_command.</summary>
    public required string ArchiveCommand { get; init; }

    /// <summary>archive_library; empty before PostgreSQL 15.</summary>
    public required string ArchiveLibrary { get; init; }

    /// <summary>archive_timeout; zero for none.</summary>
    public required TimeSpan ArchiveTimeout { get; init; }

    /// <summary>How many files were archived since <see cref="StatsReset"/>.</summary>
    public required long ArchivedCount { get; init; }

    /// <summary>The file that was archived last.</summary>
    public required string? LastArchivedWal { get; init; }

    /// <summary>When it was archived.</summary>
    public required DateTimeOffset? LastArchivedTime { get; init; }

    /// <summary>How long ago that is.</summary>
    public required TimeSpan? LastArchivedAge { get; init; }

    /// <summary>How many attempts failed since <see cref="StatsReset"/>.</summary>
    public required long FailedCount { get; init; }

    /// <summary>The file of the last failed attempt.</summary>
    public required string? LastFailedWal { get; init; }

    /// <summary>When it failed.</summary>
    public required DateTimeOffset? LastFailedTime { get; init; }

    /// <summary>Since when the server counts.</summary>
    public required DateTimeOffset? StatsReset { get; init; }

    /// <summary>How many finished files wait in pg_wal/archive_status; null when the role may not see it.</summary>
    public required int? ReadyCount { get; init; }

    /// <summary>Since when the oldest of them waits.</summary>
    public required DateTimeOffset? OldestReadyTime { get; init; }

    /// <summary>How many bytes a second the backlog grows (less than 0: it shrinks); null when nothing waits, or it was not looked at.</summary>
    public required ByteSize? BacklogGrowth { get; init; }

    /// <summary>The timeline that the server is on.</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>The end of the server's WAL; of a standby, of what it has.</summary>
    public required Lsn CurrentLsn { get; init; }

    /// <summary>The segment that it lies in.</summary>
    public required WalSegmentName CurrentSegment { get; init; }

    /// <summary>The newest segment of that timeline in the repository; null when there is none, or no repository was given.</summary>
    public required WalSegmentName? NewestSegment { get; init; }

    /// <summary>Whether it was opened, decoded to its end, and is what its name says, of this cluster; null when there is none.</summary>
    public required bool? IsNewestReadable { get; init; }

    /// <summary>How many finished segments the repository does not have yet at the newest end; null when <see cref="NewestSegment"/> is.</summary>
    public required long? LagSegments { get; init; }

    /// <summary>How many bytes of WAL lie between the end of <see cref="NewestSegment"/> and <see cref="CurrentLsn"/>: what a loss of the server would cost.</summary>
    public required ByteSize? Lag { get; init; }

    /// <summary>The server's replication slots.</summary>
    public required IReadOnlyList<WalSlotStatus> Slots { get; init; }

    /// <summary>Who receives WAL from the server; empty when the role may not see it.</summary>
    public required IReadOnlyList<WalReceiverStatus> Receivers { get; init; }

    /// <summary>The size of pg_wal; null when the role may not see it.</summary>
    public required ByteSize? WalSize { get; init; }

    /// <summary>What is free where pg_wal lies; null when that is not on this host or cannot be read.</summary>
    public required ByteSize? FreeSpace { get; init; }

    /// <summary>When pg_wal's disk will be full if what waits goes on growing as it does; null when it does not, or is unknown.</summary>
    public required TimeSpan? TimeToFull { get; init; }

    /// <summary>The segment that the probe switched away from; null without a probe.</summary>
    public required WalSegmentName? ProbeSegment { get; init; }

    /// <summary>How long it took until that segment was in the repository and was read; null when it was not.</summary>
    public required TimeSpan? ProbeDuration { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Status.ToString();
}
