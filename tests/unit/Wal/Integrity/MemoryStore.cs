using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using PgBackup.Errors;
using PgBackup.Storage;

namespace PgBackup.Tests.Wal.Integrity;

/// <summary>A store in memory, that counts what it is asked. Names can be there without content, a million of them.</summary>
internal sealed class MemoryStore : IObjectStore
{
    private readonly ConcurrentDictionary<string, (byte[] Content, DateTimeOffset Time)> _objects = new(StringComparer.Ordinal);
    private int _calls;

    public string Location => "memory";

    /// <summary>More objects, that are listed and have no content.</summary>
    public Func<IEnumerable<StoredObject>> Listed { get; set; } = () => [];

    /// <summary>How many calls there were, each page of a thousand listed names one.</summary>
    public int Calls => _calls;

    public void Put(string key, byte[] content, DateTimeOffset? time = null) => _objects[key] = (content, time ?? DateTimeOffset.UtcNow);

    public async IAsyncEnumerable<StoredObject> ListAsync(string folder, bool recursive, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.CompletedTask;
        int listed = 0;
        IEnumerable<StoredObject> all = _objects.Select(o => new StoredObject(o.Key, o.Value.Content.Length, o.Value.Time) { ETag = $"\"{o.Value.Time.Ticks}\"" }).Concat(Listed());
        foreach (StoredObject item in all)
        {
            if (!item.Key.StartsWith(folder, StringComparison.Ordinal) || (!recursive && item.Key.AsSpan(folder.Length).Contains('/')))
                continue;
            if (listed++ % 1000 == 0)
                Interlocked.Increment(ref _calls);
            yield return item;
        }
    }

    public async IAsyncEnumerable<string> ListFoldersAsync(string folder, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.CompletedTask;
        Interlocked.Increment(ref _calls);
        foreach (string name in _objects.Keys.Where(k => k.StartsWith(folder, StringComparison.Ordinal) && k.AsSpan(folder.Length).Contains('/'))
            .Select(k => k[folder.Length..].Split('/')[0]).Distinct().ToList())
            yield return name;
    }

    public Task<StoredObject?> StatAsync(string key, CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _calls);
        return Task.FromResult<StoredObject?>(_objects.TryGetValue(key, out var item) ? new StoredObject(key, item.Content.Length, item.Time) : null);
    }

    public Task<Stream> OpenReadAsync(string key, long offset = 0, long? length = null, CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _calls);
        if (!_objects.TryGetValue(key, out var item))
            throw PgErrors.ObjectNotFound(Location, key);
        int rest = item.Content.Length - (int)offset;
        return Task.FromResult<Stream>(new MemoryStream(item.Content, (int)offset, length is null ? rest : (int)Math.Min(rest, length.Value), writable: false));
    }

    public Task<ObjectWriter> CreateAsync(string key, PutCondition condition = PutCondition.None, CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _calls);
        return Task.FromResult<ObjectWriter>(new Writer(this, key));
    }

    public Task DeleteAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken = default)
    {
        foreach (string key in keys)
            _objects.TryRemove(key, out _);
        return Task.CompletedTask;
    }

    public Task<int> RemoveUnfinishedAsync(string folder, DateTimeOffset startedBefore, CancellationToken cancellationToken = default) => Task.FromResult(0);

    public async IAsyncEnumerable<UnfinishedObject> ListUnfinishedAsync(string folder, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.CompletedTask;
        yield break;
    }

    public bool CanCopyFrom(IObjectStore source) => false;

    public Task CopyFromAsync(IObjectStore source, string sourceKey, string targetKey, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException("Nothing is copied within this store.");

    public Task<StoreDescription> DescribeAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException("This store is only listed and read.");

    private sealed class Writer(MemoryStore store, string key) : ObjectWriter
    {
        private readonly MemoryStream _content = new();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => _content.WriteAsync(buffer, cancellationToken);

        public override Task CommitAsync(CancellationToken cancellationToken = default)
        {
            store.Put(key, _content.ToArray());
            return Task.CompletedTask;
        }

        public override ValueTask DisposeAsync() => _content.DisposeAsync();
    }
}
