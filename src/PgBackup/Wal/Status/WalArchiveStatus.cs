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

    /// <summary>archive_mode is off.</summary>
    Off,
}

/// <summary>What the server and the repository say of WAL archiving at one moment.</summary>
public sealed record WalArchiveStatus
{
    /// <summary>The server, as host and port.</summary>
    public required string Server { get; init; }

    /// <summary>The repository; null when none was given.</summary>
    public required string? Repository { get; init; }

    /// <summary>The judgement.</summary>
    public required WalArchiveHealth Status { get; init; }

    /// <summary>Why <see cref="Status"/> is not Ok, one sentence each; empty when it is.</summary>
    public required IReadOnlyList<string> Reasons { get; init; }

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

    /// <summary>The timeline that the server is on.</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>The end of the server's WAL.</summary>
    public required Lsn CurrentLsn { get; init; }

    /// <summary>The segment that it lies in.</summary>
    public required WalSegmentName CurrentSegment { get; init; }

    /// <summary>The newest segment of that timeline in the repository; null when there is none, or no repository was given.</summary>
    public required WalSegmentName? NewestSegment { get; init; }

    /// <summary>How many finished segments the repository does not have yet at the newest end; null when <see cref="NewestSegment"/> is.</summary>
    public required long? LagSegments { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Status.ToString();
}
