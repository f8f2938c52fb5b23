using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// The frames of deltas that hold the pages for the regions which are being written. An increment's pages are sorted, so neighbouring regions need the same frames: the last ones
/// are kept, up to a bound, and each is fetched and decoded about once.
/// </summary>
internal sealed class IncrementFrames(BackupRepository repository) : IDisposable
{
    private const long Bound = 48 << 20;

    private readonly FrameDecoder _decoder = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<(DeferredPart Part, int Frame), LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _order = []; // The one that was used last comes first.
    private long _bytes;
    private long _discarded;

    /// <summary>Begins to fetch a frame that will be needed soon; a store may be far away.</summary>
    public void Prefetch(DeferredPart part, int frame, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_entries.ContainsKey((part, frame)))
                return;
            Add(part, frame, cancellationToken);
            Evict();
        }
    }

    /// <summary>A frame's content. Throws <c>BackupDamaged</c>, and what the store throws.</summary>
    public Task<byte[]> GetAsync(DeferredPart part, int frame, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue((part, frame), out LinkedListNode<Entry>? node))
            {
                node = Add(part, frame, cancellationToken);
            }
            else if (node != _order.First)
            {
                _order.Remove(node);
                _order.AddFirst(node);
            }
            Entry entry = node.Value;
            if (entry.Content is null)
            {
                Task<byte[]> reading = entry.Stored!;
                entry.Content = Task.Run(() => DecodeAsync(part, frame, reading), cancellationToken);
                entry.Stored = null;
                _bytes += part.Frames[frame].PlainLength - entry.Bytes;
                entry.Bytes = part.Frames[frame].PlainLength;
                Evict();
            }
            return entry.Content;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _decoder.Dispose();

    private LinkedListNode<Entry> Add(DeferredPart part, int frame, CancellationToken cancellationToken)
    {
        IndexedFrame facts = part.Frames[frame];
        var entry = new Entry(part, frame) { Stored = Task.Run(() => ReadAsync(part, frame, cancellationToken), cancellationToken), Bytes = facts.Length };
        _bytes += entry.Bytes;
        return _entries[(part, frame)] = _order.AddFirst(entry);
    }

    private void Evict()
    {
        while (_bytes > Bound && _order.Last is { } last && last != _order.First)
        {
            _order.RemoveLast();
            _entries.Remove((last.Value.Part, last.Value.Frame));
            _bytes -= last.Value.Bytes;
            _discarded += last.Value.Bytes;
        }
        if (_discarded <= Bound)
            return;
        // Arrays of megabytes are collected late, when several times the bound has gathered: a small heap seems worth no full collection to the runtime.
        _discarded = 0;
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
    }

    private async Task<byte[]> ReadAsync(DeferredPart part, int frame, CancellationToken cancellationToken)
    {
        int length = part.Frames[frame].Length;
        byte[] stored = GC.AllocateUninitializedArray<byte>(length);
        Stream source = await repository.Store.OpenReadAsync(part.Key, part.StoredStartOf(frame), length, cancellationToken).ConfigureAwait(false);
        await using (source.ConfigureAwait(false))
        {
            if (await source.ReadAtLeastAsync(stored, length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false) < length)
                throw part.Writer.Damaged($"{part.Name} ends too early.");
        }
        return stored;
    }

    private async Task<byte[]> DecodeAsync(DeferredPart part, int frame, Task<byte[]> reading)
    {
        byte[] content = await reading.ConfigureAwait(false);
        IndexedFrame facts = part.Frames[frame];
        if (part.IsCompressed)
        {
            byte[] stored = content;
            content = GC.AllocateUninitializedArray<byte>(facts.PlainLength);
            try
            {
                _decoder.Decode(stored, content, part.Key);
            }
            catch (PgBackupException error) when (error.Id == "ObjectDamaged")
            {
                throw part.Writer.Damaged($"{part.Name}: {error.Message}", error);
            }
        }
        FrameHash.Require(content, facts, frame, part.Name, part.Writer);
        return content;
    }

    private sealed class Entry(DeferredPart part, int frame)
    {
        public DeferredPart Part { get; } = part;

        public int Frame { get; } = frame;

        public Task<byte[]>? Stored { get; set; } // Until it is decoded.

        public Task<byte[]>? Content { get; set; }

        public long Bytes { get; set; }
    }
}
