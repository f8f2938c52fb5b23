using PgBackup.Retention;
namespace PgBackup;

/// <summary>What retention decides about.</summary>
public enum RetentionItemKind
{
    /// <summary>A base backup.</summary>
    Cluster,

    /// <summary>A logical backup.</summary>
    Database,

    /// <summary>A backup of configuration.</summary>
    Config,

    /// <summary>A run of WAL segments of one timeline, with the notes that backups left between them.</summary>
    Wal,

    /// <summary>A timeline's history file.</summary>
    TimelineHistory,
}

/// <summary>What happens to it.</summary>
public enum RetentionAction
{
    /// <summary>It stays.</summary>
    Keep,

    /// <summary>It goes.</summary>
    Remove,
}

/// <summary>What a policy says of a backup, a run of WAL or a history file, and why.</summary>
public sealed record RetentionDecision
{
    /// <summary>The backup's name; of WAL the first segment.</summary>
    public required string Name { get; init; }

    /// <summary>The last segment of a run of WAL; null for all else.</summary>
    public string? LastSegment { get; init; }

    /// <summary>What it is.</summary>
    public required RetentionItemKind Kind { get; init; }

    /// <summary>The group to which the policy was applied.</summary>
    public required string Group { get; init; }

    /// <summary>Whether it stays or goes.</summary>
    public required RetentionAction Action { get; init; }

    /// <summary>Every reason: all rules that keep it, or why none does.</summary>
    public required IReadOnlyList<string> Reasons { get; init; }

    /// <summary>The reasons as a sentence: <c>kept: monthly 2026-08</c>, <c>removed: older than every tier</c>.</summary>
    public string Reason => (Action == RetentionAction.Keep ? "kept: " : "removed: ") + string.Join("; ", Reasons);

    /// <summary>When the backup began; null for WAL.</summary>
    public DateTimeOffset? StartTime { get; init; }

    /// <summary>The stored bytes, as far as they are known.</summary>
    public ByteSize? Size { get; init; }

    /// <summary>How many segments a run of WAL has; 1 for all else.</summary>
    public long Count { get; init; } = 1;

    /// <summary>The repository, as it was named.</summary>
    public string? Repository { get; init; }

    /// <summary>Of a run of WAL: where it lies in the archive's inventory.</summary>
    internal WalStretch? Stretch { get; init; }

    /// <summary>The backup; null for WAL.</summary>
    internal RetentionBackup? Backup { get; init; }

    /// <summary>The name, of WAL both ends.</summary>
    public override string ToString() => LastSegment is null || LastSegment == Name ? Name : $"{Name}..{LastSegment}";
}

/// <summary>A run of segments by their places in an inventory.</summary>
/// <param name="Timeline">The timeline.</param>
/// <param name="First">The first place.</param>
/// <param name="Last">The last place.</param>
internal sealed record WalStretch(TimelineId Timeline, int First, int Last);
