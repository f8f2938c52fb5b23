namespace PgBackup;

/// <summary>How deep the archive is looked into.</summary>
public enum WalCheckLevel
{
    /// <summary>Whether every segment is there, by one listing.</summary>
    Names,

    /// <summary>Also each object: that it opens, has a segment's size, and that every page belongs where it is.</summary>
    Content,

    /// <summary>Also the checksum of every record, and the chain of records over all segments and timelines.</summary>
    Records,
}

/// <summary>What a check came to.</summary>
public enum WalCheckStatus
{
    /// <summary>In order.</summary>
    Ok,

    /// <summary>Nothing that a restore needs is known to be lost, but something needs attention: segments at the newest end may still be on their way.</summary>
    Warning,

    /// <summary>Something that a restore needs is missing or damaged.</summary>
    Failure,
}

/// <summary>Something that is wrong in an object of the archive.</summary>
public sealed record WalFault
{
    /// <summary>The file: a segment, a history, a note of a backup.</summary>
    public required string Name { get; init; }

    /// <summary>The object.</summary>
    public required string Key { get; init; }

    /// <summary>Where in the log; null for what is no place in it.</summary>
    public Lsn? Lsn { get; init; }

    /// <summary>True when it makes a restore impossible; false when it only needs attention.</summary>
    public bool IsFailure { get; init; } = true;

    /// <summary>What is wrong.</summary>
    public required string Message { get; init; }

    /// <summary>What to do.</summary>
    public required string Recommendation { get; init; }

    /// <summary>The object and what is wrong.</summary>
    public override string ToString() => $"{Key}: {Message}";
}

/// <summary>What the check of the log along one timeline's history came to.</summary>
public sealed record WalArchiveCheck
{
    /// <summary>The timeline at the end of the path.</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>True for the timeline on which the cluster goes on.</summary>
    public required bool IsCurrent { get; init; }

    /// <summary>The judgement.</summary>
    public required WalCheckStatus Status { get; init; }

    /// <summary>Why <see cref="Status"/> is not Ok, and what to do; failures first.</summary>
    public required IReadOnlyList<string> Reasons { get; init; }

    /// <summary>How deep it went.</summary>
    public required WalCheckLevel Level { get; init; }

    /// <summary>The oldest segment that was asked for.</summary>
    public required WalSegmentName First { get; init; }

    /// <summary>The newest segment that was asked for.</summary>
    public required WalSegmentName Last { get; init; }

    /// <summary>How many segments there should be.</summary>
    public required long Count { get; init; }

    /// <summary>How many of them are not there, acknowledged or not.</summary>
    public required long MissingCount { get; init; }

    /// <summary>How many of the missing ones somebody has acknowledged.</summary>
    public required long AcknowledgedCount { get; init; }

    /// <summary>The path, oldest first, cut where the state or the timeline changes.</summary>
    public required IReadOnlyList<WalSegmentRange> Ranges { get; init; }

    /// <summary>The backups that can be rolled forward along this path.</summary>
    public required IReadOnlyList<string> Backups { get; init; }

    /// <summary>Those of them that cannot be restored, because of the log written while they were taken something is missing or damaged.</summary>
    public required IReadOnlyList<string> UnrestorableBackups { get; init; }

    /// <summary>What is wrong in the objects, in the order of the log; the first thousand.</summary>
    public required IReadOnlyList<WalFault> Faults { get; init; }

    /// <summary>How many faults there are.</summary>
    public required long FaultCount { get; init; }

    /// <summary>How many segments were opened.</summary>
    public required long ReadCount { get; init; }

    /// <summary>The bytes of log that were read.</summary>
    public required ByteSize ReadSize { get; init; }

    /// <summary>How long it took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The cluster that wrote the log; null when nothing tells.</summary>
    public required ulong? SystemIdentifier { get; init; }

    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }

    /// <summary>The timeline and the judgement.</summary>
    public override string ToString() => $"timeline {Timeline}: {Status}";
}
