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

    /// <summary>How long it took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The repository.</summary>
    public required string Repository { get; init; }

    /// <summary>The object in the repository.</summary>
    public required string Key { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
