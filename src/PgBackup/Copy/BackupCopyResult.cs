using PgBackup.Errors;

namespace PgBackup;

/// <summary>What became of a backup that was to be copied.</summary>
public enum BackupCopyStatus
{
    /// <summary>Copied; every object of it was proven in the destination before it was listed there.</summary>
    Copied,

    /// <summary>It was there already, whole.</summary>
    Present,

    /// <summary>It is there and can be restored, but not all of the WAL behind it, which was asked for, could be copied.</summary>
    Partial,

    /// <summary>Not copied; the destination does not list it.</summary>
    Failed,
}

/// <summary>A backup after a copy.</summary>
public sealed record BackupCopyResult
{
    /// <summary>The backup's name, the same in both repositories.</summary>
    public required string Name { get; init; }

    /// <summary>What became of it.</summary>
    public required BackupCopyStatus Status { get; init; }

    /// <summary>The repository that it came from.</summary>
    public required string Source { get; init; }

    /// <summary>The repository that it went to.</summary>
    public required string Destination { get; init; }

    /// <summary>The same as <see cref="Destination"/>: what comes next in a pipeline works on the copy.</summary>
    public string Repository => Destination;

    /// <summary>How many objects were copied.</summary>
    public required int ObjectCount { get; init; }

    /// <summary>Their bytes.</summary>
    public required ByteSize Size { get; init; }

    /// <summary>How many objects were there already.</summary>
    public required int SkippedCount { get; init; }

    /// <summary>How many objects of the WAL archive belong to it here: those that it needs, and with the history those up to the next backup.</summary>
    public required int WalObjectCount { get; init; }

    /// <summary>When its copy began (UTC).</summary>
    public required DateTimeOffset StartTime { get; init; }

    /// <summary>When it ended (UTC).</summary>
    public required DateTimeOffset EndTime { get; init; }

    /// <summary>How long it took.</summary>
    public TimeSpan Duration => EndTime - StartTime;

    /// <summary>Why it failed, or is partial; null when it did not.</summary>
    public string? Error => Failure?.Message;

    /// <summary>The failure itself.</summary>
    internal PgBackupException? Failure { get; init; }

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
