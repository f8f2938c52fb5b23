using PgBackup.Repository.Documents;

namespace PgBackup;

/// <summary>What a base backup holds.</summary>
public enum BackupType
{
    /// <summary>The whole cluster.</summary>
    Full,

    /// <summary>What changed since its parent.</summary>
    Delta,
}

/// <summary>In what state a backup is.</summary>
public enum BackupStatus
{
    /// <summary>Published, its documents readable, its chain present.</summary>
    Complete,

    /// <summary>Being written now.</summary>
    InProgress,

    /// <summary>Left behind by a run that died; it is no backup and the next run under its name clears it away.</summary>
    Unfinished,

    /// <summary>Published, but something that a restore needs is missing or unreadable.</summary>
    Damaged,
}

/// <summary>A base backup as the catalogue tells it, whoever wrote it.</summary>
public sealed record ClusterBackup
{
    /// <summary>The name in WAL-G's form.</summary>
    public required string Name { get; init; }

    /// <summary>What it is of.</summary>
    public BackupKind Kind => BackupKind.Cluster;

    /// <summary>Full or delta.</summary>
    public required BackupType Type { get; init; }

    /// <summary>In what state it is.</summary>
    public required BackupStatus Status { get; init; }

    /// <summary>Why it is not <see cref="BackupStatus.Complete"/>; null when it is.</summary>
    public string? Problem { get; init; }

    /// <summary>When it began (UTC).</summary>
    public DateTimeOffset? StartTime { get; init; }

    /// <summary>When it ended (UTC).</summary>
    public DateTimeOffset? FinishTime { get; init; }

    /// <summary>How long it took.</summary>
    public TimeSpan? Duration => FinishTime - StartTime;

    /// <summary>Where replay begins.</summary>
    public Lsn? StartLsn { get; init; }

    /// <summary>Where the cluster becomes consistent.</summary>
    public Lsn? FinishLsn { get; init; }

    /// <summary>The timeline it was taken on.</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>The bytes of its parts as stored.</summary>
    public ByteSize? Size { get; init; }

    /// <summary>The bytes of its parts unpacked.</summary>
    public ByteSize? UncompressedSize { get; init; }

    /// <summary>The bytes of the data directory when it was taken.</summary>
    public ByteSize? DataSize { get; init; }

    /// <summary>The parent's name; null for a full backup.</summary>
    public string? Parent { get; init; }

    /// <summary>The names of the chain, the full backup first, this one last.</summary>
    public IReadOnlyList<string> Chain { get; init; } = [];

    /// <summary>The server's version, for example 15.18.</summary>
    public Version? ServerVersion { get; init; }

    /// <summary>The cluster's system identifier.</summary>
    public ulong? SystemIdentifier { get; init; }

    /// <summary>Whether retention must leave it alone.</summary>
    public bool IsPermanent { get; init; }

    /// <summary>Until when retention must leave it alone, when it was locked for a time.</summary>
    public DateTimeOffset? LockedUntil { get; init; }

    /// <summary>What was given along when it was taken: text, number, list or dictionary.</summary>
    public object? UserData { get; init; }

    /// <summary>The host it was taken on.</summary>
    public string? HostName { get; init; }

    /// <summary>The data directory it was taken of.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>The program that wrote it: PgBackup and its version, or wal-g.</summary>
    public string? WrittenBy { get; init; }

    /// <summary>Whether its parts are encrypted; null when the writer did not say.</summary>
    public bool? Encrypted { get; init; }

    /// <summary>How many pages were found damaged when it was taken.</summary>
    public long CorruptPageCount { get; init; }

    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }

    /// <summary>The document that all this was read from; null when it could not be read.</summary>
    internal BackupSentinel? Sentinel { get; init; }

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
