using PgBackup.Storage;

namespace PgBackup;

/// <summary>The segments of one timeline in a repository.</summary>
/// <param name="Timeline">The timeline.</param>
/// <param name="FirstSegment">The oldest segment.</param>
/// <param name="LastSegment">The newest segment.</param>
/// <param name="Count">How many there are.</param>
/// <param name="Size">Their stored bytes.</param>
public sealed record RepositoryTimeline(TimelineId Timeline, WalSegmentName FirstSegment, WalSegmentName LastSegment, long Count, ByteSize Size)
{
    /// <summary>All of it on one line.</summary>
    public override string ToString() => $"{Timeline}: {FirstSegment} to {LastSegment}, {Count} segments, {Size}";
}

/// <summary>A cluster whose backups or WAL a repository holds.</summary>
/// <param name="SystemIdentifier">The cluster's system identifier.</param>
/// <param name="ServerVersion">The server's version at the newest backup; the major version alone when there is no backup.</param>
/// <param name="BackupCount">How many backups there are of it.</param>
/// <param name="Oldest">When the oldest of them began.</param>
/// <param name="Newest">When the newest of them began.</param>
public sealed record RepositoryLineage(ulong SystemIdentifier, string? ServerVersion, long BackupCount, DateTimeOffset? Oldest, DateTimeOffset? Newest)
{
    /// <summary>All of it on one line.</summary>
    public override string ToString() =>
        $"{SystemIdentifier}: {(ServerVersion is null ? "" : $"PostgreSQL {ServerVersion}, ")}{BackupCount} backups";
}

/// <summary>What a repository holds.</summary>
public sealed record RepositorySummary
{
    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }

    /// <summary>The kind of store: <c>Directory</c> or <c>S3</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The store's address; null for a folder.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>The store's region.</summary>
    public string? StoreRegion { get; init; }

    /// <summary>The number of full backups.</summary>
    public long FullBackupCount { get; init; }

    /// <summary>The stored bytes of the full backups.</summary>
    public ByteSize FullBackupSize { get; init; }

    /// <summary>The number of deltas.</summary>
    public long DeltaBackupCount { get; init; }

    /// <summary>The stored bytes of the deltas.</summary>
    public ByteSize DeltaBackupSize { get; init; }

    /// <summary>The number of backups without a sentinel: being written now, or left by a run that died.</summary>
    public long UnfinishedBackupCount { get; init; }

    /// <summary>Their stored bytes.</summary>
    public ByteSize UnfinishedBackupSize { get; init; }

    /// <summary>The number of backups whose sentinel cannot be read.</summary>
    public long DamagedBackupCount { get; init; }

    /// <summary>The backup that began first; null when there is none.</summary>
    public string? OldestBackup { get; init; }

    /// <summary>When it began.</summary>
    public DateTimeOffset? OldestBackupTime { get; init; }

    /// <summary>The backup that began last; null when there is none.</summary>
    public string? NewestBackup { get; init; }

    /// <summary>When it began.</summary>
    public DateTimeOffset? NewestBackupTime { get; init; }

    /// <summary>The number of WAL segments.</summary>
    public long WalSegmentCount { get; init; }

    /// <summary>The stored bytes of everything in the archive.</summary>
    public ByteSize WalSize { get; init; }

    /// <summary>The timelines, in order.</summary>
    public IReadOnlyList<RepositoryTimeline> Timelines { get; init; } = [];

    /// <summary>The clusters, the one with the newest backup last.</summary>
    public IReadOnlyList<RepositoryLineage> Lineages { get; init; } = [];

    /// <summary>The number of objects that are PgBackup's alone.</summary>
    public long PrivateObjectCount { get; init; }

    /// <summary>Their stored bytes.</summary>
    public ByteSize PrivateSize { get; init; }

    /// <summary>The number of objects that are neither a backup's, nor WAL, nor PgBackup's.</summary>
    public long OtherObjectCount { get; init; }

    /// <summary>Their stored bytes.</summary>
    public ByteSize OtherSize { get; init; }

    /// <summary>The number of all objects.</summary>
    public long ObjectCount { get; init; }

    /// <summary>The stored bytes of all objects; old versions, of which a listing does not tell, are not among them.</summary>
    public ByteSize Size { get; init; }

    /// <summary>Whether what is there is encrypted; null when that is unknown, because wal-g wrote it.</summary>
    public bool? IsEncrypted { get; init; }

    /// <summary>What the key of an encrypted repository is called; null when nothing of ours recorded it.</summary>
    public string? KeyId { get; init; }

    /// <summary>Whether the store keeps versions.</summary>
    public StoreVersioning Versioning { get; init; }

    /// <summary>Whether the bucket has object lock; null when that is unknown.</summary>
    public bool? HasObjectLock { get; init; }

    /// <summary>For how long the bucket locks new objects by itself; null when it does not.</summary>
    public TimeSpan? DefaultRetention { get; init; }

    /// <summary>The number of objects in flight.</summary>
    public long UnfinishedUploadCount { get; init; }

    /// <summary>When the oldest of them was begun.</summary>
    public DateTimeOffset? OldestUnfinishedUpload { get; init; }

    /// <summary>The bytes that are free; null where the store names no bound.</summary>
    public ByteSize? FreeSpace { get; init; }

    /// <summary>The repository.</summary>
    public override string ToString() => Repository;
}
