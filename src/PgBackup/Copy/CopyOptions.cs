namespace PgBackup.Copy;

/// <summary>What is copied along, and how fast.</summary>
public sealed record CopyOptions
{
    /// <summary>How many objects are in flight unless told.</summary>
    public const int DefaultThrottleLimit = 4;

    /// <summary>Whether all WAL from the oldest backup's start to the newest in the archive goes along, not only what each backup needs by itself.</summary>
    public bool WithHistory { get; init; }

    /// <summary>Accepts a cluster that the destination does not know yet, beside those that it knows.</summary>
    public bool NewLineage { get; init; }

    /// <summary>How many objects are in flight.</summary>
    public int ThrottleLimit { get; init; } = DefaultThrottleLimit;

    /// <summary>The bytes a second that all together may take; null for no bound.</summary>
    public ByteSize? RateLimit { get; init; }
}
