namespace PgBackup;

/// <summary>What a push did.</summary>
public enum WalPushStatus
{
    /// <summary>The file was stored.</summary>
    Stored,

    /// <summary>The same content was there already; nothing was written.</summary>
    AlreadyStored,

    /// <summary>The file was stored in place of an object that could not be read; that one was set aside.</summary>
    Replaced,

    /// <summary>An earlier push had stored the file ahead; its object was seen to be there.</summary>
    StoredAhead,

    /// <summary>The segment is not finished: a standby was given it in pieces. The repository holds all of it in pieces; no whole segment was stored.</summary>
    HeldInPieces,
}

/// <summary>One WAL file that is safe in the repository: durable, and confirmed by reading it back.</summary>
public sealed record WalPushResult
{
    /// <summary>The file's name.</summary>
    public required string Name { get; init; }

    /// <summary>What kind of file it is.</summary>
    public required WalFileKind Kind { get; init; }

    /// <summary>The timeline in its name.</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>What was done.</summary>
    public required WalPushStatus Status { get; init; }

    /// <summary>The file's size.</summary>
    public required ByteSize Size { get; init; }

    /// <summary>The size of the object in the repository; 0 for a segment that is held in pieces.</summary>
    public required ByteSize StoredSize { get; init; }

    /// <summary>How long it took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The repository.</summary>
    public required string Repository { get; init; }

    /// <summary>The object in the repository; of a segment that is held in pieces their folder.</summary>
    public required string Key { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
