namespace PgBackup;

/// <summary>A dump that was written to a file or a folder.</summary>
public sealed record DumpFileResult
{
    /// <summary>The file, or in directory format the folder.</summary>
    public required string Path { get; init; }

    /// <summary>What it holds.</summary>
    public required DumpContent Content { get; init; }

    /// <summary>The database; null for globals.</summary>
    public string? Database { get; init; }

    /// <summary>The dump's form.</summary>
    public required DumpFormat Format { get; init; }

    /// <summary>The bytes of the file or of all files.</summary>
    public required ByteSize Size { get; init; }

    /// <summary>The bytes that pg_dump wrote; null for a folder.</summary>
    public ByteSize? UncompressedSize { get; init; }

    /// <summary>The XXH128 of the bytes that pg_dump wrote, in lower-case hexadecimal digits; null for a folder.</summary>
    public string? Hash { get; init; }

    /// <summary>When it began (UTC).</summary>
    public required DateTimeOffset StartTime { get; init; }

    /// <summary>When it ended (UTC).</summary>
    public required DateTimeOffset FinishTime { get; init; }

    /// <summary>How long it took.</summary>
    public TimeSpan Duration => FinishTime - StartTime;

    /// <summary>Where the server's log stood when the snapshot was taken.</summary>
    public required Lsn SnapshotLsn { get; init; }

    /// <summary>How many tables it holds.</summary>
    public int? TableCount { get; init; }

    /// <summary>The server, as host and port.</summary>
    public required string Server { get; init; }

    /// <summary>The version of the program that wrote it.</summary>
    public required Version ToolVersion { get; init; }

    /// <summary>How its proof ended; null when none was asked for.</summary>
    public DumpVerification? Verification { get; init; }

    /// <summary>The path.</summary>
    public override string ToString() => Path;
}
