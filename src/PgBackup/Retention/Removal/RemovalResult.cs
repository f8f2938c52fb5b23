using PgBackup.Errors;

namespace PgBackup;

/// <summary>How the removal of something ended.</summary>
public enum RemovalStatus
{
    /// <summary>It is gone.</summary>
    Removed,

    /// <summary>It is still there: locked in between, or the store keeps it.</summary>
    Retained,

    /// <summary>It is no backup any more, but some of its objects are still there; the next run removes them.</summary>
    Partial,
}

/// <summary>What became of a backup, a run of WAL or a history file that was to go.</summary>
public sealed record RemovalResult
{
    /// <summary>The backup's name; of WAL the first segment.</summary>
    public required string Name { get; init; }

    /// <summary>The last segment of a run of WAL; null for all else.</summary>
    public string? LastSegment { get; init; }

    /// <summary>What it was.</summary>
    public required RetentionItemKind Kind { get; init; }

    /// <summary>How it ended.</summary>
    public required RemovalStatus Status { get; init; }

    /// <summary>Why it was to go, or why it is still there.</summary>
    public required string Reason { get; init; }

    /// <summary>How many objects went.</summary>
    public long ObjectCount { get; init; }

    /// <summary>The stored bytes that went.</summary>
    public required ByteSize Size { get; init; }

    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }

    /// <summary>What stood in the way; null when it is gone or the store keeps it by its own rules.</summary>
    internal PgBackupException? Failure { get; init; }

    /// <summary>The name, of WAL both ends.</summary>
    public override string ToString() => LastSegment is null || LastSegment == Name ? Name : $"{Name}..{LastSegment}";
}
