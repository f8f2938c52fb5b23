namespace PgBackup.Wal.Status;

/// <summary>What the server itself says. What the role may not see is null.</summary>
internal sealed record ServerFacts
{
    public required string Server { get; init; }

    public required int MajorVersion { get; init; }

    public required ServerSettings Settings { get; init; }

    /// <summary>The server's clock: ages are counted by the clock that wrote the times.</summary>
    public required DateTimeOffset Now { get; init; }

    public required bool IsStandby { get; init; }

    public required ulong SystemIdentifier { get; init; }

    public required TimelineId Timeline { get; init; }

    public required Lsn CurrentLsn { get; init; }

    /// <summary>Where the last checkpoint's recovery begins: WAL from here on is never removed.</summary>
    public required Lsn RedoLsn { get; init; }

    /// <summary>When that checkpoint began, with the server's log at <see cref="RedoLsn"/>.</summary>
    public required DateTimeOffset RedoTime { get; init; }

    public required WalSegmentSize SegmentSize { get; init; }

    public required ArchiverFacts Archiver { get; init; }

    public required ReadyFacts? Ready { get; init; }

    public required IReadOnlyList<WalSlotStatus> Slots { get; init; }

    public required IReadOnlyList<WalReceiverStatus>? Receivers { get; init; }

    public required long? WalBytes { get; init; }

    /// <summary>The segments in pg_wal; null when the role may not see them.</summary>
    public required IReadOnlyList<WalFileFacts>? WalFiles { get; init; }

    /// <summary>
    /// Whether a receiver is connected whose application_name is its slot's name, as Receive-PgWal's is; null when the role may not see who receives. A standby can be named so, too.
    /// </summary>
    public bool? HasMarkedReceiver => Receivers is null ? null : Receivers.Any(r => r.SlotName is { } slot && slot == r.Name);

    public WalSegmentName CurrentSegment => WalSegmentName.Containing(Timeline, CurrentLsn, SegmentSize);

    /// <summary>Whether this server's archiver runs: a standby's does for archive_mode = always only.</summary>
    public bool IsArchiving => Settings.ValueOf("archive_mode") == "always" || (Settings.IsArchiving && !IsStandby);

    /// <summary>The last attempt failed, and what it was for still waits.</summary>
    public bool IsFailing => Archiver.LastFailedTime is { } failed && !(Archiver.LastArchivedTime > failed) && Ready?.Count != 0;

    /// <summary>Since when nothing was archived though files wait; null when none does.</summary>
    public DateTimeOffset? IdleSince => Ready is not { Count: > 0, Oldest: { } oldest } ? null : Archiver.LastArchivedTime > oldest ? Archiver.LastArchivedTime : oldest;

    /// <summary>Files wait, and nothing was archived since the oldest of them began to.</summary>
    public bool IsStandingStill => Ready is { Count: > 0, Oldest: { } oldest } && !(Archiver.LastArchivedTime > oldest);
}

/// <summary>A segment in pg_wal.</summary>
/// <param name="Segment">Which one.</param>
/// <param name="Written">When it was last written; of one that lies before the server's end: when it was finished, at the latest.</param>
internal readonly record struct WalFileFacts(WalSegmentName Segment, DateTimeOffset Written);

/// <summary>pg_stat_archiver.</summary>
internal sealed record ArchiverFacts(
    long Archived, string? LastArchived, DateTimeOffset? LastArchivedTime, long Failed, string? LastFailed, DateTimeOffset? LastFailedTime, DateTimeOffset? Reset);

/// <summary>The files that wait in pg_wal/archive_status.</summary>
/// <param name="Count">How many.</param>
/// <param name="Oldest">Since when the oldest waits.</param>
/// <param name="FailedSince">Since when the one waits whose archiving failed last; null when it does not.</param>
internal sealed record ReadyFacts(int Count, DateTimeOffset? Oldest, DateTimeOffset? FailedSince);

/// <summary>What moves on, at one moment.</summary>
internal readonly record struct WalMoment(DateTimeOffset Now, Lsn Lsn, long Archived);
