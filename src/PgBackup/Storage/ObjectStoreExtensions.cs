using System.Buffers;
using System.IO.Hashing;
using PgBackup.Errors;

namespace PgBackup.Storage;

/// <summary>What every store can do on top of <see cref="IObjectStore"/>.</summary>
public static class ObjectStoreExtensions
{
    private const int CopyBuffer = 1 << 20;

    // Sentinels, metadata and their like are small; whatever is larger is no such document.
    private const int SmallObjectLimit = 64 << 20;

    /// <summary>Copies an object under another key within the store, replacing what is there.</summary>
    public static Task CopyAsync(this IObjectStore store, string sourceKey, string targetKey, CancellationToken cancellationToken = default) =>
        store.CopyFromAsync(store, sourceKey, targetKey, cancellationToken);

    /// <summary>Removes every object in flight below a folder in which nobody else may be writing. Returns how many there were.</summary>
    public static Task<int> RemoveUnfinishedAsync(this IObjectStore store, string folder, CancellationToken cancellationToken = default) =>
        store.RemoveUnfinishedAsync(folder, DateTimeOffset.MaxValue, cancellationToken);

    /// <summary>Puts a small object whole.</summary>
    public static async Task PutAsync(
        this IObjectStore store, string key, ReadOnlyMemory<byte> content, PutCondition condition = PutCondition.None, CancellationToken cancellationToken = default)
    {
        ObjectWriter writer = await store.CreateAsync(key, condition, cancellationToken).ConfigureAwait(false);
        await using (writer.ConfigureAwait(false))
        {
            await writer.WriteAsync(content, cancellationToken).ConfigureAwait(false);
            await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Puts all that a stream holds; returns the number of bytes.</summary>
    public static async Task<long> PutAsync(
        this IObjectStore store, string key, Stream content, PutCondition condition = PutCondition.None, CancellationToken cancellationToken = default)
    {
        ObjectWriter writer = await store.CreateAsync(key, condition, cancellationToken).ConfigureAwait(false);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyBuffer);
        try
        {
            await using (writer.ConfigureAwait(false))
            {
                long total = 0;
                int read;
                while ((read = await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
                {
                    await writer.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                    total += read;
                }
                await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
                return total;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Reads a small object whole; null when there is none.</summary>
    public static async Task<byte[]?> TryReadAllAsync(this IObjectStore store, string key, CancellationToken cancellationToken = default)
    {
        try
        {
            Stream source = await store.OpenReadAsync(key, cancellationToken: cancellationToken).ConfigureAwait(false);
            await using (source.ConfigureAwait(false))
            {
                using var memory = new MemoryStream();
                byte[] buffer = new byte[64 * 1024];
                int read;
                while ((read = await source.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
                {
                    if (memory.Length + read > SmallObjectLimit)
                        throw PgErrors.ObjectTooLarge(store.Location, key, SmallObjectLimit);
                    memory.Write(buffer, 0, read);
                }
                return memory.ToArray();
            }
        }
        catch (PgBackupException error) when (error.Id == "ObjectNotFound")
        {
            return null;
        }
    }

    /// <summary>Reads an object back: true when it holds so many bytes with that XXH128.</summary>
    public static async Task<bool> HoldsAsync(this IObjectStore store, string key, long size, UInt128 hash, CancellationToken cancellationToken = default)
    {
        var found = new XxHash128();
        long total = 0;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyBuffer);
        try
        {
            Stream content = await store.OpenReadAsync(key, cancellationToken: cancellationToken).ConfigureAwait(false);
            await using (content.ConfigureAwait(false))
            {
                int read;
                while ((read = await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
                {
                    found.Append(buffer.AsSpan(0, read));
                    total += read;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        return total == size && found.GetCurrentHashAsUInt128() == hash;
    }
}
