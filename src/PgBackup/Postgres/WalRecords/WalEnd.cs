namespace PgBackup.Postgres.WalRecords;

/// <summary>What it means that the log could be read no further.</summary>
public enum WalEndKind
{
    /// <summary><see cref="WalReadOptions.StopAt"/> was reached.</summary>
    StopReached,

    /// <summary>The next segment is not there. All that is there was good.</summary>
    SegmentMissing,

    /// <summary>The log ends as a server leaves it: zeros, or what a recycled segment held before. Nothing follows.</summary>
    EndOfWal,

    /// <summary>
    /// The last record is incomplete or its checksum is wrong, and nothing follows. A crash leaves this; so does damage to the very last record.
    /// </summary>
    Torn,

    /// <summary>Something is wrong that no crash leaves behind: PostgreSQL would stop here too, though the log goes on.</summary>
    Damaged,
}

/// <summary>What stood where a record was expected.</summary>
public enum WalEndReason
{
    /// <summary>The caller's limit.</summary>
    StopReached,

    /// <summary>No segment.</summary>
    SegmentMissing,

    /// <summary>Zeros.</summary>
    Zeros,

    /// <summary>A page with an older address: of a segment's former life.</summary>
    OldPage,

    /// <summary>A page header that no server writes there.</summary>
    PageInvalid,

    /// <summary>A segment of another cluster, or with another segment size.</summary>
    ForeignSegment,

    /// <summary>A file that is shorter or longer than a segment.</summary>
    SegmentSizeWrong,

    /// <summary>A record header with an impossible length, resource manager or link to the record before.</summary>
    RecordInvalid,

    /// <summary>A record whose checksum does not fit.</summary>
    ChecksumMismatch,

    /// <summary>A page that does not go on with the record that the page before left open.</summary>
    ContinuationLost,

    /// <summary>No record starts at the given LSN.</summary>
    StartInvalid,
}

/// <summary>Why and where reading ended.</summary>
/// <param name="Kind">What it means.</param>
/// <param name="Reason">What was found.</param>
/// <param name="Position">The log is good up to here: the end of the last good record, where the next one was expected.</param>
/// <param name="Segment">The segment in which, or for want of which, reading ended.</param>
/// <param name="Message">A sentence for people.</param>
public sealed record WalEnd(WalEndKind Kind, WalEndReason Reason, Lsn Position, WalSegmentName Segment, string Message)
{
    /// <summary>True unless the log is damaged.</summary>
    public bool IsClean => Kind is not (WalEndKind.Damaged or WalEndKind.Torn);
}
