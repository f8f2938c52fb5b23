using System.Buffers;
using System.IO.Hashing;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Storage;

namespace PgBackup.Copy;

/// <summary>Copies single objects, byte for byte and proven: within the store where it can, else through two buffers an object.</summary>
internal sealed class ObjectCopier
{
    private const int BufferSize = 1 << 20;

    private readonly IObjectStore _source;
    private readonly IObjectStore _target;
    private readonly RateLimiter _rate;
    private readonly Action<long> _onBytes;
    private readonly bool _withinStore;

    /// <param name="source">Where objects come from.</param>
    /// <param name="target">Where they go.</param>
    /// <param name="rateLimit">The bound for all together.</param>
    /// <param name="onBytes">Called with bytes that have gone over, from any thread.</param>
    public ObjectCopier(IObjectStore source, IObjectStore target, ByteSize? rateLimit, Action<long> onBytes)
    {
        _source = source;
        _target = target;
        _rate = new RateLimiter(rateLimit);
        _onBytes = onBytes;
        // Between two folders the bytes go through us either way, and then with a checksum.
        _withinStore = target is not DirectoryStore && target.CanCopyFrom(source);
    }

    /// <summary>
    /// Returns when the object is in the destination, whole, durable and proven. Throws <c>ObjectNotFound</c>, <c>ObjectChanged</c>, <c>CopyNotConfirmed</c>,
    /// and <c>ObjectExists</c> when <paramref name="condition"/> forbids to replace what is there.
    /// </summary>
    public async Task CopyAsync(StoredObject item, PutCondition condition, CancellationToken cancellationToken)
    {
        if (_withinStore)
            await CopyWithinStoreAsync(item, condition, cancellationToken).ConfigureAwait(false);
        else
            await StreamAsync(item, condition, cancellationToken).ConfigureAwait(false);
    }

    private async Task CopyWithinStoreAsync(StoredObject item, PutCondition condition, CancellationToken cancellationToken)
    {
        if (condition == PutCondition.IfAbsent && await _target.StatAsync(item.Key, cancellationToken).ConfigureAwait(false) is not null)
            throw PgErrors.ObjectExists(_target.Location, item.Key);
        await _rate.WaitAsync(item.Size, cancellationToken).ConfigureAwait(false);
        await _target.CopyFromAsync(_source, item.Key, item.Key, cancellationToken).ConfigureAwait(false);
        StoredObject? copied = await _target.StatAsync(item.Key, cancellationToken).ConfigureAwait(false);
        if (copied?.Size != item.Size)
            throw PgErrors.CopyNotConfirmed(_target.Location, item.Key, copied is null ? "is not there." : $"has {copied.Value.Size} bytes there instead of {item.Size}.");
        _onBytes(item.Size);
    }

    private async Task StreamAsync(StoredObject item, PutCondition condition, CancellationToken cancellationToken)
    {
        byte[] reading = ArrayPool<byte>.Shared.Rent(BufferSize);
        byte[] writing = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            var hash = new XxHash128();
            Stream content = await _source.OpenReadAsync(item.Key, cancellationToken: cancellationToken).ConfigureAwait(false);
            bool isProven;
            await using (content.ConfigureAwait(false))
            {
                ObjectWriter writer = await _target.CreateAsync(item.Key, condition, cancellationToken).ConfigureAwait(false);
                await using (writer.ConfigureAwait(false))
                {
                    long total = 0;
                    int read = await FillAsync(content, reading, cancellationToken).ConfigureAwait(false);
                    while (read > 0)
                    {
                        (reading, writing) = (writing, reading);
                        int length = read;
                        await _rate.WaitAsync(length, cancellationToken).ConfigureAwait(false);
                        Task<int> next = FillAsync(content, reading, cancellationToken);
                        try
                        {
                            hash.Append(writing.AsSpan(0, length));
                            await writer.WriteAsync(writing.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
                        }
                        finally
                        {
                            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // The buffer is still its own.
                        }
                        total += length;
                        _onBytes(length);
                        read = await next.ConfigureAwait(false);
                    }
                    if (total != item.Size)
                        throw PgErrors.CopySourceChanged(_source.Location, item.Key, $"{total} bytes were read, {item.Size} were listed.");
                    await writer.CommitAsync(cancellationToken).ConfigureAwait(false);
                    isProven = writer.IsContentProven;
                }
            }
            if (!isProven)
                await RequireSameAsync(item, hash.GetCurrentHashAsUInt128(), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(reading);
            ArrayPool<byte>.Shared.Return(writing);
        }
    }

    /// <summary>Reads the copy back.</summary>
    private async Task RequireSameAsync(StoredObject item, UInt128 expected, CancellationToken cancellationToken)
    {
        if (await _target.HoldsAsync(item.Key, item.Size, expected, cancellationToken).ConfigureAwait(false))
            return;
        await _target.DeleteAsync([item.Key], CancellationToken.None).ConfigureAwait(false); // The next run would take it for whole.
        throw PgErrors.CopyNotConfirmed(_target.Location, item.Key, "what was read back was not what had been written; it was removed again.");
    }

    private static Task<int> FillAsync(Stream content, byte[] buffer, CancellationToken cancellationToken) =>
        content.ReadAtLeastAsync(buffer.AsMemory(0, BufferSize), BufferSize, throwOnEndOfStream: false, cancellationToken).AsTask();
}
