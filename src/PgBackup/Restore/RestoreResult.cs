namespace PgBackup;

/// <summary>In what state a restore has left the cluster.</summary>
public enum RestoreStatus
{
    /// <summary>The files are there; recovery begins when the server is started.</summary>
    Restored,

    /// <summary>The server has reached the target and takes connections, on a timeline of its own.</summary>
    Promoted,

    /// <summary>The server has reached the target and waits, open for reading.</summary>
    Paused,

    /// <summary>The server has reached the target and has shut down.</summary>
    ShutDown,
}

/// <summary>A step of a restore and how long it took.</summary>
/// <param name="Name">The step.</param>
/// <param name="Duration">How long it took.</param>
public sealed record RestorePhase(string Name, TimeSpan Duration)
{
    /// <summary><c>Files 00:00:12.3</c></summary>
    public override string ToString() => $"{Name} {Duration:hh\\:mm\\:ss\\.f}";
}

/// <summary>What came of a restore.</summary>
public sealed record RestoreResult
{
    /// <summary>The name of the backup that was restored.</summary>
    public required string Name { get; init; }

    /// <summary>In what state the cluster is.</summary>
    public required RestoreStatus Status { get; init; }

    /// <summary>The data directory.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>The target.</summary>
    public required RestoreTarget Target { get; init; }

    /// <summary>Where replay stopped; before a start, where the plan says that it will.</summary>
    public required Lsn ReachedLsn { get; init; }

    /// <summary>When the last transaction that is there ended (UTC).</summary>
    public DateTimeOffset? ReachedTime { get; init; }

    /// <summary>The timeline: the new one after a promotion, else the one that was followed.</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>The port of the server that was started.</summary>
    public int? Port { get; init; }

    /// <summary>The file that the server logged to.</summary>
    public string? LogPath { get; init; }

    /// <summary>Where the data directory that was here before lies now.</summary>
    public string? PreviousDataDirectory { get; init; }

    /// <summary>The number of files.</summary>
    public required long FileCount { get; init; }

    /// <summary>Their bytes.</summary>
    public required ByteSize Size { get; init; }

    /// <summary>The bytes of files that came from the repository.</summary>
    public required ByteSize FetchedSize { get; init; }

    /// <summary>The bytes of files that were there already and stayed; zero unless the restore changed files in place.</summary>
    public required ByteSize KeptSize { get; init; }

    /// <summary>The segments that recovery needs.</summary>
    public required int WalSegmentCount { get; init; }

    /// <summary>When the restore began (UTC).</summary>
    public required DateTimeOffset StartTime { get; init; }

    /// <summary>How long it took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The steps.</summary>
    public required IReadOnlyList<RestorePhase> Phases { get; init; }

    /// <summary>What needs attention.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }

    /// <summary>The data directory.</summary>
    public override string ToString() => DataDirectory;
}
