namespace PgBackup;

/// <summary>What the doctor looks at, in the order in which it does.</summary>
public enum RepositoryCheckName
{
    /// <summary>The store answers: address, certificate, region.</summary>
    Connection,

    /// <summary>The store knows who asks; for a folder: whose it is.</summary>
    Credentials,

    /// <summary>The right to list.</summary>
    List,

    /// <summary>The right to write, and to replace.</summary>
    Put,

    /// <summary>The right to ask for an object's size, and that it is true.</summary>
    Stat,

    /// <summary>The right to read, and that what is read is what was written.</summary>
    Get,

    /// <summary>Reading from the middle of an object.</summary>
    GetRange,

    /// <summary>That a put which must not replace does not; of several at once one wins.</summary>
    ConditionalPut,

    /// <summary>The right to copy within the store.</summary>
    Copy,

    /// <summary>The right to delete one object.</summary>
    Delete,

    /// <summary>The right to delete several with one request.</summary>
    DeleteMany,

    /// <summary>An object larger than one part.</summary>
    Multipart,

    /// <summary>How long small requests wait.</summary>
    Latency,

    /// <summary>How fast bytes go there and come back.</summary>
    Throughput,

    /// <summary>The store's clock beside this machine's.</summary>
    Clock,

    /// <summary>Objects that a doctor which was killed has left.</summary>
    LeftProbes,

    /// <summary>Whether what is overwritten or deleted is kept.</summary>
    Versioning,

    /// <summary>Whether objects are held against deletion.</summary>
    ObjectLock,

    /// <summary>What the store does otherwise than AWS does.</summary>
    Compatibility,

    /// <summary>Whether the key fits what is there.</summary>
    Encryption,

    /// <summary>Room for what is to come.</summary>
    FreeSpace,

    /// <summary>Who takes a backup now.</summary>
    Writers,

    /// <summary>Whose backups and WAL these are.</summary>
    Clusters,

    /// <summary>What other tools have put here.</summary>
    ForeignObjects,

    /// <summary>Objects in flight that nobody finishes.</summary>
    UnfinishedUploads,

    /// <summary>Backups that nobody finishes.</summary>
    UnfinishedBackups,

    /// <summary>WAL files that are there more than once.</summary>
    DuplicateWal,
}

/// <summary>What came of a check.</summary>
public enum CheckStatus
{
    /// <summary>In order.</summary>
    Passed,

    /// <summary>It works, but something needs attention.</summary>
    Warning,

    /// <summary>Something that backups or restores need does not work.</summary>
    Failed,

    /// <summary>It cannot apply here, or could not be tried; the message says why.</summary>
    Skipped,
}

/// <summary>One check of a repository.</summary>
public sealed record RepositoryCheck
{
    /// <summary>What was looked at.</summary>
    public required RepositoryCheckName Name { get; init; }

    /// <summary>What came of it.</summary>
    public required CheckStatus Status { get; init; }

    /// <summary>What was found, in sentences.</summary>
    public required string Message { get; init; }

    /// <summary>What to do next; null when there is nothing to do.</summary>
    public string? Recommendation { get; init; }

    /// <summary>How long it took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The repository, as it was named.</summary>
    public required string Repository { get; init; }

    /// <summary>Name and status.</summary>
    public override string ToString() => $"{Name}: {Status}";
}
