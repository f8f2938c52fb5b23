namespace PgBackup;

/// <summary>One WAL file that was taken out of the repository, verified, and written durably.</summary>
public sealed record WalFetchResult
{
    /// <summary>The file's name.</summary>
    public required string Name { get; init; }

    /// <summary>What kind of file it is.</summary>
    public required WalFileKind Kind { get; init; }

    /// <summary>The timeline in its name.</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>The file that was written.</summary>
    public required string Destination { get; init; }

    /// <summary>The file's size.</summary>
    public required ByteSize Size { get; init; }

    /// <summary>
    /// Where the log ends in a segment that was put together from the pieces of an unfinished one, zeros behind; null for a whole file. Such a segment may be longer when it
    /// is asked for again: it must not be kept for later.
    /// </summary>
    public Lsn? EndLsn { get; init; }

    /// <summary>How long it took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The repository.</summary>
    public required string Repository { get; init; }

    /// <summary>The object in the repository; the folder of the pieces, with its slash, where it was put together from those.</summary>
    public required string Key { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
