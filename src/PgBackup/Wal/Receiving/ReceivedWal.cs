namespace PgBackup;

/// <summary>What became of received WAL.</summary>
public enum ReceivedWalStatus
{
    /// <summary>The whole file was stored.</summary>
    Stored,

    /// <summary>The same content was there already: <c>archive_command</c> was faster.</summary>
    AlreadyStored,

    /// <summary>It was stored in place of an object that could not be read.</summary>
    Replaced,

    /// <summary>Receiving, or the timeline, ended within the segment: what came of it is stored in pieces.</summary>
    Unfinished,
}

/// <summary>A segment or a history file that was received and is durable in the repository.</summary>
public sealed record ReceivedWal
{
    /// <summary>The file's name.</summary>
    public required string Name { get; init; }

    /// <summary>What kind of file it is.</summary>
    public required WalFileKind Kind { get; init; }

    /// <summary>The timeline.</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>The segment's first LSN; null for a history file.</summary>
    public Lsn? StartLsn { get; init; }

    /// <summary>The LSN behind what is stored; null for a history file.</summary>
    public Lsn? EndLsn { get; init; }

    /// <summary>What became of it.</summary>
    public required ReceivedWalStatus Status { get; init; }

    /// <summary>The bytes that are stored, as the server has them.</summary>
    public required ByteSize Size { get; init; }

    /// <summary>When its first byte came (UTC).</summary>
    public required DateTimeOffset ReceivedTime { get; init; }

    /// <summary>When it was durable (UTC).</summary>
    public required DateTimeOffset StoredTime { get; init; }

    /// <summary>How long it took to store it once it was whole.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The server.</summary>
    public required string Server { get; init; }

    /// <summary>The repository.</summary>
    public required string Repository { get; init; }

    /// <summary>The object in the repository; the folder of the pieces, with its slash, for an unfinished one.</summary>
    public required string Key { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
