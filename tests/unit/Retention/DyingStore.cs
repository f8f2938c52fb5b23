using PgBackup.Errors;
using PgBackup.Storage;

namespace PgBackup.Tests.Retention;

/// <summary>A store at which a process dies after so many deletions of objects: nothing that it asks for afterwards reaches the store.</summary>
internal sealed class DyingStore(IObjectStore store, int deletions) : IObjectStore
{
    private int _left = deletions;

    public bool IsDead { get; private set; }

    public string Location => store.Location;

    public IAsyncEnumerable<StoredObject> ListAsync(string folder, bool recursive, CancellationToken cancellationToken = default) => Living().ListAsync(folder, recursive, cancellationToken);

    public IAsyncEnumerable<string> ListFoldersAsync(string folder, CancellationToken cancellationToken = default) => Living().ListFoldersAsync(folder, cancellationToken);

    public Task<StoredObject?> StatAsync(string key, CancellationToken cancellationToken = default) => Living().StatAsync(key, cancellationToken);

    public Task<Stream> OpenReadAsync(string key, long offset = 0, long? length = null, CancellationToken cancellationToken = default) => Living().OpenReadAsync(key, offset, length, cancellationToken);

    public Task<ObjectWriter> CreateAsync(string key, PutCondition condition = PutCondition.None, CancellationToken cancellationToken = default) => Living().CreateAsync(key, condition, cancellationToken);

    public async Task DeleteAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken = default)
    {
        foreach (string key in keys.OrderBy(static k => k.GetHashCode(StringComparison.Ordinal))) // In no order: a batch has none.
        {
            if (Interlocked.Decrement(ref _left) < 0)
                IsDead = true;
            await Living().DeleteAsync([key], cancellationToken);
        }
    }

    public Task<int> RemoveUnfinishedAsync(string folder, DateTimeOffset startedBefore, CancellationToken cancellationToken = default) =>
        Living().RemoveUnfinishedAsync(folder, startedBefore, cancellationToken);

    public Task<long> PurgeVersionsAsync(string folder, Func<string, bool> isWanted, CancellationToken cancellationToken = default) => Living().PurgeVersionsAsync(folder, isWanted, cancellationToken);

    public IAsyncEnumerable<UnfinishedObject> ListUnfinishedAsync(string folder, CancellationToken cancellationToken = default) => Living().ListUnfinishedAsync(folder, cancellationToken);

    public bool CanCopyFrom(IObjectStore source) => false;

    public Task CopyFromAsync(IObjectStore source, string sourceKey, string targetKey, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public Task<StoreDescription> DescribeAsync(CancellationToken cancellationToken = default) => Living().DescribeAsync(cancellationToken);

    private IObjectStore Living() => IsDead ? throw PgErrors.StorageReadFailed(Location, "", new IOException("The process is dead.")) : store;
}
