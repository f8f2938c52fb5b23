namespace PgBackup.Wal.Status;

/// <summary>What the repository holds of the server's WAL.</summary>
internal sealed record RepositoryFacts
{
    public required string Location { get; init; }

    /// <summary>Why it could not be asked; null when it could.</summary>
    public string? Problem { get; init; }

    /// <summary>Whether it holds what the server archived last; null when the server archived nothing yet.</summary>
    public bool? HoldsLastArchived { get; init; }

    /// <summary>The newest segment of the server's timeline.</summary>
    public WalSegmentName? Newest { get; init; }

    /// <summary>What is wrong with the newest segment's object; null when nothing is.</summary>
    public string? NewestProblem { get; init; }

    /// <summary>The oldest backup, where the segment that its recovery begins with is missing; null when it is there, or there is no backup.</summary>
    public BackupName? OldestBackupWithoutWal { get; init; }
}

/// <summary>What is free where pg_wal lies.</summary>
/// <param name="Free">In bytes; null when unknown.</param>
/// <param name="WhyUnknown">Why it is unknown.</param>
internal sealed record DiskFacts(long? Free, string? WhyUnknown);

/// <summary>What came of switching WAL and waiting.</summary>
/// <param name="Segment">The segment that was switched away from; null when nothing was switched.</param>
/// <param name="Duration">How long it took until it was in the repository and read; null when it was not.</param>
/// <param name="Problem">Why not.</param>
internal sealed record ProbeFacts(WalSegmentName? Segment, TimeSpan? Duration, string? Problem);

/// <summary>All that was found, to be judged.</summary>
internal sealed record WalArchiveFacts
{
    public required ServerFacts Server { get; init; }

    public required RepositoryFacts? Repository { get; init; }

    public required DiskFacts Disk { get; init; }

    public required ProbeFacts? Probe { get; init; }

    /// <summary>Bytes a second that the backlog grows by.</summary>
    public required long? Growth { get; init; }

    /// <summary>How many finished segments the repository does not have at the newest end.</summary>
    public long? LagSegments => Repository?.Newest is { } newest
        ? Math.Max(0, (long)Server.CurrentSegment.NumberFor(Server.SegmentSize) - (long)newest.NumberFor(Server.SegmentSize) - 1)
        : null;

    /// <summary>How many bytes the repository does not have.</summary>
    public long? Lag => Repository?.Newest is { } newest
        ? Math.Max(0, Server.CurrentLsn - newest.NextFor(Server.SegmentSize).StartFor(Server.SegmentSize))
        : null;

    public TimeSpan? TimeToFull => Growth > 0 && Disk.Free is { } free ? TimeSpan.FromSeconds((double)free / Growth.Value) : null;

    public WalArchiveMethod Method => Server.IsArchiving
        ? Server.Settings.ValueOf("archive_library").Length > 0 ? WalArchiveMethod.Library : WalArchiveMethod.Command
        : Repository?.Newest is not null && Server.Slots.Any(s => s.IsPhysical && s.IsActive) ? WalArchiveMethod.Streaming
        : WalArchiveMethod.None;
}
