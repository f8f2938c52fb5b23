namespace PgBackup;

/// <summary>What kind of thing is left over.</summary>
public enum GarbageKind
{
    /// <summary>Objects of a base backup whose run died, or whose removal did.</summary>
    UnfinishedBackup,

    /// <summary>Objects of a logical backup whose run died.</summary>
    UnfinishedDump,

    /// <summary>WAL segments from which no backup leads on.</summary>
    OrphanedWal,

    /// <summary>Objects that were being written: temporary files of a folder, multipart uploads of a bucket.</summary>
    UnfinishedObject,

    /// <summary>A lock on a backup that is not there.</summary>
    OrphanedLock,
}

/// <summary>Something in a repository that nothing needs.</summary>
public sealed record GarbageItem
{
    /// <summary>The backup's name, the first segment, or the folder of unfinished objects.</summary>
    public required string Name { get; init; }

    /// <summary>The last segment of a run of WAL; null for all else.</summary>
    public string? LastSegment { get; init; }

    /// <summary>What it is.</summary>
    public required GarbageKind Kind { get; init; }

    /// <summary>Why nothing needs it.</summary>
    public required string Reason { get; init; }

    /// <summary>When it was last written to (UTC); null where that is not known.</summary>
    public DateTimeOffset? Modified { get; init; }

    /// <summary>How many objects there are.</summary>
    public required long ObjectCount { get; init; }

    /// <summary>The stored bytes, as far as the store tells.</summary>
    public required ByteSize Size { get; init; }

    /// <summary>True when it was removed.</summary>
    public bool IsRemoved { get; init; }

    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }

    /// <summary>Of a run of WAL: where it lies in the archive's inventory.</summary>
    internal WalStretch? Stretch { get; init; }

    /// <summary>The name, of WAL both ends.</summary>
    public override string ToString() => LastSegment is null || LastSegment == Name ? Name : $"{Name}..{LastSegment}";
}
