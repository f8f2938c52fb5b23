namespace PgBackup;

/// <summary>How it is with the segments of a range (the words of <c>wal-g wal-verify</c> where it has one).</summary>
public enum WalSegmentState
{
    /// <summary>They are in the archive.</summary>
    Found,

    /// <summary>
    /// It is not there whole, but in pieces that a receiver has stored, up to <see cref="WalSegmentRange.EndLsn"/>: a restore puts them together. Not a state of wal-g's.
    /// </summary>
    InPieces,

    /// <summary>They are not there, at the newest end, within what may be late.</summary>
    Delayed,

    /// <summary>They are not there, but so near to the newest end that somebody may be storing them at this moment.</summary>
    Uploading,

    /// <summary>They are not there, and nobody will bring them any more.</summary>
    Lost,

    /// <summary>They are not there; nothing was asked about whether they could still come.</summary>
    Missing,

    /// <summary>They are not there, and somebody has said that this is known.</summary>
    Acknowledged,
}

/// <summary>Segments of one timeline that follow each other and are in the same state.</summary>
public sealed record WalSegmentRange
{
    /// <summary>The timeline.</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>The first segment.</summary>
    public required WalSegmentName First { get; init; }

    /// <summary>The last segment, the first one itself when it is the only one.</summary>
    public required WalSegmentName Last { get; init; }

    /// <summary>How many segments.</summary>
    public required long Count { get; init; }

    /// <summary>Their state.</summary>
    public required WalSegmentState State { get; init; }

    /// <summary>The LSN of the first byte.</summary>
    public required Lsn StartLsn { get; init; }

    /// <summary>The LSN after the last byte; of a segment in pieces, after the last byte that they hold without a gap.</summary>
    public required Lsn EndLsn { get; init; }

    /// <summary>The stored bytes; zero for what is not there.</summary>
    public ByteSize StoredSize { get; init; } = new(0);

    /// <summary>How many objects there are besides the one that a restore takes: the same segment under another extension.</summary>
    public long DuplicateCount { get; init; }

    /// <summary>The cluster that wrote the log; null when nothing tells.</summary>
    public required ulong? SystemIdentifier { get; init; }

    /// <summary>Who has acknowledged the gap, as user@host.</summary>
    public string? AcknowledgedBy { get; init; }

    /// <summary>When it was acknowledged (UTC).</summary>
    public DateTimeOffset? AcknowledgedTime { get; init; }

    /// <summary>Why it was acknowledged.</summary>
    public string? Reason { get; init; }

    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }

    /// <summary>True when the segments are not there.</summary>
    public bool IsGap => State is not (WalSegmentState.Found or WalSegmentState.InPieces);

    /// <summary>The names; of a segment in pieces also up to where they hold it.</summary>
    public override string ToString() => State == WalSegmentState.InPieces ? $"{First} up to {EndLsn}" : First == Last ? First.ToString() : $"{First} to {Last}";
}

/// <summary>A segment of the archive.</summary>
public sealed record WalSegment
{
    /// <summary>The name: 24 hexadecimal digits.</summary>
    public required string Name { get; init; }

    /// <summary>The timeline.</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>The LSN of its first byte.</summary>
    public required Lsn StartLsn { get; init; }

    /// <summary>The stored bytes.</summary>
    public required ByteSize StoredSize { get; init; }

    /// <summary>When it was stored, cut to the minute (UTC).</summary>
    public required DateTimeOffset StoredTime { get; init; }

    /// <summary>The objects that hold it, by their keys; the first one is what a restore takes.</summary>
    public required IReadOnlyList<string> Objects { get; init; }

    /// <summary>The cluster that wrote it; null when nothing tells.</summary>
    public required ulong? SystemIdentifier { get; init; }

    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
