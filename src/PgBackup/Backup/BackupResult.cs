namespace PgBackup;

/// <summary>What came of a base backup.</summary>
public sealed record BackupResult
{
    /// <summary>The backup's name.</summary>
    public required string Name { get; init; }

    /// <summary>Full or delta.</summary>
    public required BackupType Type { get; init; }

    /// <summary>The backup that a delta rests on; null for a full one.</summary>
    public string? Parent { get; init; }

    /// <summary>Why it is of this type, where that was not asked for outright; null otherwise.</summary>
    public string? Reason { get; init; }

    /// <summary>Always complete: a backup that is not is an error.</summary>
    public BackupStatus Status => BackupStatus.Complete;

    /// <summary>When it began (UTC).</summary>
    public required DateTimeOffset StartTime { get; init; }

    /// <summary>When it ended (UTC).</summary>
    public required DateTimeOffset FinishTime { get; init; }

    /// <summary>How long it took, the wait for its WAL included.</summary>
    public TimeSpan Duration => FinishTime - StartTime;

    /// <summary>Where replay begins.</summary>
    public required Lsn StartLsn { get; init; }

    /// <summary>Where the cluster becomes consistent.</summary>
    public required Lsn FinishLsn { get; init; }

    /// <summary>The timeline it was taken on.</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>The bytes of its parts as stored.</summary>
    public required ByteSize Size { get; init; }

    /// <summary>The bytes of its parts unpacked.</summary>
    public required ByteSize UncompressedSize { get; init; }

    /// <summary>How many files it stands for.</summary>
    public required long FileCount { get; init; }

    /// <summary>How many of them its parent has as they are, so that they were not stored again.</summary>
    public long SkippedFileCount { get; init; }

    /// <summary>How many of them are stored as the pages that changed.</summary>
    public long IncrementCount { get; init; }

    /// <summary>The files with damaged pages, which were stored as they are.</summary>
    public required IReadOnlyList<CorruptFile> CorruptFiles { get; init; }

    /// <summary>Whether pages were verified: the cluster has data checksums.</summary>
    public required bool ChecksumsVerified { get; init; }

    /// <summary>How many WAL segments from start to finish were proven present.</summary>
    public required int WalSegmentCount { get; init; }

    /// <summary>How long the backup waited for its WAL to arrive.</summary>
    public required TimeSpan ArchiveWait { get; init; }

    /// <summary>The cluster's system identifier.</summary>
    public required ulong SystemIdentifier { get; init; }

    /// <summary>The server's version.</summary>
    public required Version ServerVersion { get; init; }

    /// <summary>Whether retention must leave it alone.</summary>
    public required bool IsPermanent { get; init; }

    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
