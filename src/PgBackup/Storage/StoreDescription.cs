namespace PgBackup.Storage;

/// <summary>An object in flight, or what a writer that was killed has left of one.</summary>
/// <param name="Key">The key under which it would have appeared.</param>
/// <param name="Started">When the writer began (UTC, by the store's clock).</param>
/// <param name="Size">The bytes that are there already; null where the store does not say.</param>
public readonly record struct UnfinishedObject(string Key, DateTimeOffset Started, long? Size = null);

/// <summary>Whether a store keeps what is overwritten or deleted.</summary>
public enum StoreVersioning
{
    /// <summary>The store does not say, or we may not ask.</summary>
    Unknown,

    /// <summary>It keeps nothing.</summary>
    Off,

    /// <summary>It keeps every version.</summary>
    Enabled,

    /// <summary>It kept versions, but keeps no new ones.</summary>
    Suspended,
}

/// <summary>What a store says of itself.</summary>
public sealed record StoreDescription
{
    /// <summary>The kind of store: <c>Directory</c> or <c>S3</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The address that is used; null for a directory.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>The region that is used; null where there is none.</summary>
    public string? Region { get; init; }

    /// <summary>The store's clock minus ours; null where it cannot be known.</summary>
    public TimeSpan? ClockSkew { get; init; }

    /// <summary>Whether the store keeps versions.</summary>
    public StoreVersioning Versioning { get; init; }

    /// <summary>Whether the bucket has object lock; null where it cannot be known.</summary>
    public bool? HasObjectLock { get; init; }

    /// <summary>For how long the bucket locks new objects by itself; null when it does not.</summary>
    public TimeSpan? DefaultRetention { get; init; }

    /// <summary>The bytes that are free; null where there is no bound that could be asked for.</summary>
    public long? FreeBytes { get; init; }

    /// <summary>What this store does not do as AWS does, and what is done in its place; a sentence each, none for a store that does all.</summary>
    public IReadOnlyList<string> Fallbacks { get; init; } = [];
}
