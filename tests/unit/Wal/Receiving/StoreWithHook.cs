using PgBackup.Storage;

namespace PgBackup.Tests.Wal.Receiving;

/// <summary>A store in which something happens just before an object is opened, or written.</summary>
internal sealed class StoreWithHook(IObjectStore store, Func<string, Task> beforeOpening) : IObjectStore
{
    public Func<string, Task> BeforeCreating { get; init; } = _ => Task.CompletedTask;

    public string Location => store.Location;

    public IAsyncEnumerable<StoredObject> ListAsync(string folder, bool recursive, CancellationToken cancellationToken = default) => store.ListAsync(folder, recursive, cancellationToken);

    public IAsyncEnumerable<string> ListFoldersAsync(string folder, CancellationToken cancellationToken = default) => store.ListFoldersAsync(folder, cancellationToken);

    public Task<StoredObject?> StatAsync(string key, CancellationToken cancellationToken = default) => store.StatAsync(key, cancellationToken);

    public async Task<Stream> OpenReadAsync(string key, long offset = 0, long? length = null, CancellationToken cancellationToken = default)
    {
        await beforeOpening(key);
        return await store.OpenReadAsync(key, offset, length, cancellationToken);
    }

    public async Task<ObjectWriter> CreateAsync(string key, PutCondition condition = PutCondition.None, CancellationToken cancellationToken = default)
    {
        await BeforeCreating(key);
        return await store.CreateAsync(key, condition, cancellationToken);
    }

    public Task DeleteAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken = default) => store.DeleteAsync(keys, cancellationToken);

    public Task<int> RemoveUnfinishedAsync(string folder, DateTimeOffset startedBefore, CancellationToken cancellationToken = default) =>
        store.RemoveUnfinishedAsync(folder, startedBefore, cancellationToken);

    public Task<long> PurgeVersionsAsync(string folder, Func<string, bool> isWanted, CancellationToken cancellationToken = default) => store.PurgeVersionsAsync(folder, isWanted, cancellationToken);

    public IAsyncEnumerable<UnfinishedObject> ListUnfinishedAsync(string folder, CancellationToken cancellationToken = default) => store.ListUnfinishedAsync(folder, cancellationToken);

    public bool CanCopyFrom(IObjectStore source) => store.CanCopyFrom(source);

    public Task CopyFromAsync(IObjectStore source, string sourceKey, string targetKey, CancellationToken cancellationToken = default) =>
        store.CopyFromAsync(source, sourceKey, targetKey, cancellationToken);

    public Task<StoreDescription> DescribeAsync(CancellationToken cancellationToken = default) => store.DescribeAsync(cancellationToken);
}
