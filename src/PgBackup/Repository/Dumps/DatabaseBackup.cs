namespace PgBackup;

/// <summary>What a logical backup holds.</summary>
public enum DumpContent
{
    /// <summary>One database, or a part of it.</summary>
    Database,

    /// <summary>What all databases of a server share: roles and tablespaces (pg_dumpall --globals-only).</summary>
    Globals,
}

/// <summary>A logical backup as the catalogue tells it.</summary>
public sealed record DatabaseBackup
{
    /// <summary>The name: when it began, and a random part.</summary>
    public required string Name { get; init; }

    /// <summary>What it is of.</summary>
    public BackupKind Kind => BackupKind.Database;

    /// <summary>What it holds.</summary>
    public required DumpContent Content { get; init; }

    /// <summary>The database; null for globals.</summary>
    public string? Database { get; init; }

    /// <summary>In what state it is.</summary>
    public required BackupStatus Status { get; init; }

    /// <summary>Why it is not <see cref="BackupStatus.Complete"/>; null when it is.</summary>
    public string? Problem { get; init; }

    /// <summary>The dump's form.</summary>
    public DumpFormat Format { get; init; }

    /// <summary>When it began (UTC).</summary>
    public DateTimeOffset? StartTime { get; init; }

    /// <summary>When it ended (UTC).</summary>
    public DateTimeOffset? FinishTime { get; init; }

    /// <summary>How long it took.</summary>
    public TimeSpan? Duration => FinishTime - StartTime;

    /// <summary>Where the server's log stood when the dump's snapshot was taken; what the dump shows is not newer than the log a moment later.</summary>
    public Lsn? SnapshotLsn { get; init; }

    /// <summary>The bytes as stored.</summary>
    public ByteSize? Size { get; init; }

    /// <summary>The bytes that pg_dump wrote.</summary>
    public ByteSize? UncompressedSize { get; init; }

    /// <summary>The size of the database when it was dumped.</summary>
    public ByteSize? DataSize { get; init; }

    /// <summary>How many tables it holds.</summary>
    public int? TableCount { get; init; }

    /// <summary>What was given along to find it again.</summary>
    public string? Label { get; init; }

    /// <summary>The backups of one run over several databases share this; null for one alone.</summary>
    public string? RunId { get; init; }

    /// <summary>The server's version.</summary>
    public Version? ServerVersion { get; init; }

    /// <summary>The version of pg_dump that wrote it.</summary>
    public Version? ToolVersion { get; init; }

    /// <summary>The cluster's system identifier; null where the role may not ask for it.</summary>
    public ulong? SystemIdentifier { get; init; }

    /// <summary>The server, as host and port.</summary>
    public string? Server { get; init; }

    /// <summary>True when schema, data or some tables were left out on request.</summary>
    public bool IsPartial { get; init; }

    /// <summary>Whether it is encrypted.</summary>
    public bool Encrypted { get; init; }

    /// <summary>Whether retention must leave it alone.</summary>
    public bool IsPermanent { get; init; }

    /// <summary>Until when retention must leave it alone, when it was locked for a time.</summary>
    public DateTimeOffset? LockedUntil { get; init; }

    /// <summary>How its proof ended, when it was taken with one; null in the catalogue.</summary>
    public DumpVerification? Verification { get; init; }

    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }

    /// <summary>The document that all this was read from; null when it could not be read.</summary>
    internal Repository.Dumps.DumpManifest? Manifest { get; init; }

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
