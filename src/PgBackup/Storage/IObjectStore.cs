namespace PgBackup.Storage;

/// <summary>An object as a listing tells it.</summary>
/// <param name="Key">The name relative to the repository's root, parts separated by <c>/</c>.</param>
/// <param name="Size">The stored bytes.</param>
/// <param name="LastModified">When the store says it was written (UTC).</param>
public readonly record struct StoredObject(string Key, long Size, DateTimeOffset LastModified)
{
    /// <summary>What the store calls this content of the object; null where a listing does not say. No part of what makes two of them equal: not every answer tells it.</summary>
    public string? ETag { get; init; }

    /// <inheritdoc/>
    public bool Equals(StoredObject other) => Key == other.Key && Size == other.Size && LastModified == other.LastModified;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Key, Size, LastModified);
}

/// <summary>Whether a put may replace what is there.</summary>
public enum PutCondition
{
    /// <summary>Replace it.</summary>
    None,

    /// <summary>Fail with <c>ObjectExists</c> when there is an object under the key; of two at once exactly one succeeds.</summary>
    IfAbsent,
}

/// <summary>
/// Where a repository lives: flat keys to bytes. An object appears whole and durable, or not at all; keys are relative, parts separated
/// by <c>/</c>. Failures are <see cref="Errors.PgBackupException"/>: <c>ObjectNotFound</c>, <c>ObjectExists</c>, <c>RepositoryNotFound</c>,
/// <c>StorageReadFailed</c>, <c>StorageWriteFailed</c>. Implementations are safe for concurrent use.
/// </summary>
public interface IObjectStore
{
    /// <summary>The repository as its user names it; never holds a secret.</summary>
    string Location { get; }

    /// <summary>
    /// The objects whose key starts with <paramref name="folder"/> (empty, or ending in <c>/</c>), in no promised order. Objects in flight are not listed.
    /// Not recursive: only the objects directly in the folder. A folder without objects lists nothing.
    /// </summary>
    IAsyncEnumerable<StoredObject> ListAsync(string folder, bool recursive, CancellationToken cancellationToken = default);

    /// <summary>The names of the folders directly in <paramref name="folder"/> (empty, or ending in <c>/</c>), without a trailing slash.</summary>
    IAsyncEnumerable<string> ListFoldersAsync(string folder, CancellationToken cancellationToken = default);

    /// <summary>What is under the key; null when there is nothing.</summary>
    Task<StoredObject?> StatAsync(string key, CancellationToken cancellationToken = default);

    /// <summary>What is under each of several keys, in their order; asked for side by side, or at once where the store can.</summary>
    async Task<IReadOnlyList<StoredObject?>> StatAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken = default) =>
        await Task.WhenAll(keys.Select(key => StatAsync(key, cancellationToken))).ConfigureAwait(false);

    /// <summary>
    /// Opens an object for forward reading, from <paramref name="offset"/> on and for <paramref name="length"/> bytes (null: to the end).
    /// Throws <c>ObjectNotFound</c>.
    /// </summary>
    Task<Stream> OpenReadAsync(string key, long offset = 0, long? length = null, CancellationToken cancellationToken = default);

    /// <summary>Begins an object; nothing is visible under the key before <see cref="ObjectWriter.CommitAsync"/>.</summary>
    Task<ObjectWriter> CreateAsync(string key, PutCondition condition = PutCondition.None, CancellationToken cancellationToken = default);

    /// <summary>Deletes the objects; a key without an object is no error. Folders that become empty vanish.</summary>
    Task DeleteAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken = default);

    /// <summary>
    /// Removes objects in flight below <paramref name="folder"/> (empty, or ending in <c>/</c>) that were begun before a time, by the store's clock: what writers that were killed have left. A living writer
    /// that began before it loses its object. Returns how many there were.
    /// </summary>
    Task<int> RemoveUnfinishedAsync(string folder, DateTimeOffset startedBefore, CancellationToken cancellationToken = default);

    /// <summary>
    /// Removes for good what a store that keeps versions still holds of deleted objects below <paramref name="folder"/> (empty, or ending in <c>/</c>) that <paramref name="isWanted"/> picks by their keys; an
    /// object that is there is never touched. Returns how many versions there were; 0 from a store that keeps none. Throws <c>ObjectLocked</c> or <c>StorageDeletionIncomplete</c> after having tried all.
    /// </summary>
    Task<long> PurgeVersionsAsync(string folder, Func<string, bool> isWanted, CancellationToken cancellationToken = default) => Task.FromResult(0L);

    /// <summary>The objects in flight below <paramref name="folder"/> (empty, or ending in <c>/</c>): of living writers, and what killed ones have left.</summary>
    IAsyncEnumerable<UnfinishedObject> ListUnfinishedAsync(string folder, CancellationToken cancellationToken = default);

    /// <summary>True when <see cref="CopyFromAsync"/> can take objects of that store without their bytes passing through this process's network.</summary>
    bool CanCopyFrom(IObjectStore source);

    /// <summary>
    /// Copies an object of another store, for which <see cref="CanCopyFrom"/> is true, byte for byte, replacing what is there; proven as a put is.
    /// Throws <c>ObjectNotFound</c>.
    /// </summary>
    Task CopyFromAsync(IObjectStore source, string sourceKey, string targetKey, CancellationToken cancellationToken = default);

    /// <summary>Asks the store what it is; what it does not say, or what we may not ask, stays unknown.</summary>
    Task<StoreDescription> DescribeAsync(CancellationToken cancellationToken = default);
}

/// <summary>
/// An object that is being written, by one writer at a time. Disposed without a commit it leaves nothing behind.
/// </summary>
public abstract class ObjectWriter : IAsyncDisposable
{
    /// <summary>Appends bytes; the buffer may be reused when the call has ended.</summary>
    public abstract ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default);

    /// <summary>
    /// Makes the object durable, confirms its size, and only then visible. Throws <c>ObjectExists</c> where the condition forbids it.
    /// </summary>
    public abstract Task CommitAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// After the commit: true when the store itself has told a checksum of what it holds, and it is that of what was written, so that reading it back would prove nothing more.
    /// </summary>
    public virtual bool IsContentProven => false;

    /// <summary>Gives the object up, unless it was committed.</summary>
    public abstract ValueTask DisposeAsync();
}
