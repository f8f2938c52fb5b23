using System.Buffers;
using System.Threading.Channels;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// Writes the members of parts whose frames can be read alone: the part is read in big ranges, several at once and ahead of the workers (a store may be far away), the
/// frames are decoded, checked and written by all workers at once. Memory is bounded by the number of ranges and of workers.
/// </summary>
internal sealed class IndexedFetch(BackupRepository repository, int workers) : IAsyncDisposable
{
    private const int RangeSize = 4 << 20;

    // Ranges that are being read, wait for a worker or are with one.
    private const int RangesAhead = 8;

    private readonly FrameDecoder _decoder = new();
    private readonly List<OpenPart> _parts = [];
    private readonly SemaphoreSlim _room = new(Math.Max(workers, RangesAhead));
    private readonly Channel<IWork> _ranges = Channel.CreateUnbounded<IWork>();

    /// <summary>The workers; ends when the ranges do. The first that fails stops the others, and whoever else goes by <paramref name="stop"/>.</summary>
    public async Task RunAsync(CancellationTokenSource stop)
    {
        var running = new Task[workers];
        for (int i = 0; i < workers; i++)
            running[i] = Task.Run(() => WorkOrStopAsync(stop), stop.Token);
        await Task.WhenAll(running).ConfigureAwait(false);
    }

    /// <summary>
    /// Hands a part to the workers; waits while they are behind. Of a part that can only be read from its beginning one worker reads all of it, unless the files in place hold what it
    /// holds.
    /// </summary>
    public async Task AddAsync(string key, IndexedPart part, MemberWriter writer, CancellationToken cancellationToken)
    {
        bool isRandom = part.RandomAccess && repository.Key is null;
        if (!isRandom && !writer.InPlace)
        {
            await AddStreamAsync(key, part, writer, cancellationToken).ConfigureAwait(false);
            return;
        }
        var open = new OpenPart(key, part, writer);
        await open.ChooseFramesAsync(workers, cancellationToken).ConfigureAwait(false);
        if (writer.InPlace)
            open.Keep(LocalFrames.Find(open, workers, cancellationToken));
        if (!isRandom && open.HasWantedFrames)
        {
            await AddStreamAsync(key, part, writer, cancellationToken).ConfigureAwait(false);
            return;
        }
        open.Begin();
        _parts.RemoveAll(static p => !p.HasOpenFiles);
        _parts.Add(open);
        long stored = 0;
        for (int first = 0; first < part.Frames.Count;)
        {
            if (!open.IsWanted(first))
            {
                stored += part.Frames[first++].Length;
                await HandAssembliesAsync(open, first, cancellationToken).ConfigureAwait(false);
                continue;
            }
            int next = first;
            int length = 0;
            do
                length += part.Frames[next++].Length;
            while (next < part.Frames.Count && length + part.Frames[next].Length <= RangeSize && open.IsWanted(next));
            await _room.WaitAsync(cancellationToken).ConfigureAwait(false);
            Hand(new FrameRange(open, first, next, ReadAsync(open, stored, length, cancellationToken)));
            open.PrefetchNewer(first, next, cancellationToken);
            stored += length;
            first = next;
            await HandAssembliesAsync(open, first, cancellationToken).ConfigureAwait(false);
        }
        await HandAssembliesAsync(open, int.MaxValue, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>In the order of the file, so that the frames of deltas that are decoded for one region are there for the next.</summary>
    private async Task HandAssembliesAsync(OpenPart part, int beforeFrame, CancellationToken cancellationToken)
    {
        while (part.NextAssembly(beforeFrame) is { } assembly)
        {
            await _room.WaitAsync(cancellationToken).ConfigureAwait(false);
            Hand(new AssemblyWork(part, assembly));
            assembly.Overlay.Prefetch(assembly.From, assembly.To, cancellationToken);
        }
    }

    /// <summary>No more parts come, or never mind (with an error).</summary>
    public void Complete(Exception? error = null) => _ranges.Writer.TryComplete(error);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Complete();
        // After a failure: what nobody takes any more.
        while (_ranges.Reader.TryRead(out IWork? left))
        {
            if (left is FrameRange range)
                await DiscardAsync(range).ConfigureAwait(false);
        }
        foreach (OpenPart part in _parts)
            part.Dispose();
        _decoder.Dispose();
        _room.Dispose();
    }

    private async Task AddStreamAsync(string key, IndexedPart part, MemberWriter writer, CancellationToken cancellationToken)
    {
        await _room.WaitAsync(cancellationToken).ConfigureAwait(false);
        Hand(new StreamWork(key, part, writer));
    }

    private static async Task DiscardAsync(FrameRange range)
    {
        await ((Task)range.Reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (range.Reading.IsCompletedSuccessfully)
            ArrayPool<byte>.Shared.Return(await range.Reading.ConfigureAwait(false));
    }

    private void Hand(IWork work)
    {
        // Closed by a failure elsewhere, which is the one to be told.
        if (!_ranges.Writer.TryWrite(work))
            throw new OperationCanceledException();
    }

    private async Task WorkOrStopAsync(CancellationTokenSource stop)
    {
        try
        {
            await WorkAsync(stop.Token).ConfigureAwait(false);
        }
        catch
        {
            await stop.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        using var plain = new AlignedBuffer();
        using var pages = new AlignedBuffer();
        await foreach (IWork work in _ranges.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            if (work is StreamWork stream)
                await StreamedPart.FetchAsync(repository, stream.Key, stream.Part, stream.Writer, false, cancellationToken).ConfigureAwait(false);
            else if (work is AssemblyWork assembly)
                await assembly.Part.AssembleAsync(assembly.Assembly, pages, cancellationToken).ConfigureAwait(false);
            else
                await WriteRangeAsync((FrameRange)work, plain, pages, cancellationToken).ConfigureAwait(false);
            _room.Release();
        }
    }

    private async Task WriteRangeAsync(FrameRange range, AlignedBuffer plain, AlignedBuffer pages, CancellationToken cancellationToken)
    {
        byte[] stored = await range.Reading.ConfigureAwait(false);
        try
        {
            await WriteFramesAsync(range, stored, plain, pages, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "ObjectDamaged")
        {
            throw range.Part.Writer.Damaged($"{range.Part.Name}: {error.Message}", error);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(stored);
        }
    }

    /// <summary>Reads a range into a buffer of the shared pool, which whoever awaits it gives back.</summary>
    private async Task<byte[]> ReadAsync(OpenPart part, long offset, int length, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            Stream source = await repository.Store.OpenReadAsync(part.Key, offset, length, cancellationToken).ConfigureAwait(false);
            await using (source.ConfigureAwait(false))
            {
                if (await source.ReadAtLeastAsync(buffer.AsMemory(0, length), length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false) < length)
                    throw part.Writer.Damaged($"{part.Name} ends too early.");
            }
            return buffer;
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer);
            throw;
        }
    }

    private async Task WriteFramesAsync(FrameRange range, byte[] stored, AlignedBuffer plain, AlignedBuffer pages, CancellationToken cancellationToken)
    {
        int offset = 0;
        for (int i = range.First; i < range.Next; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await range.Part.WaitUntilWritableAsync(i, cancellationToken).ConfigureAwait(false);
            int length = range.Part.Frames[i].Length;
            await range.Part.GatherNewerAsync(i, pages, cancellationToken).ConfigureAwait(false);
            DecodeAndWrite(range.Part, i, stored.AsSpan(offset, length), plain, pages);
            offset += length;
        }
    }

    private void DecodeAndWrite(OpenPart part, int index, Span<byte> stored, AlignedBuffer plain, AlignedBuffer pages)
    {
        if (!part.IsCompressed)
        {
            WriteFrame(part, index, stored, pages);
            return;
        }
        Span<byte> content = plain.Span(part.Frames[index].PlainLength);
        _decoder.Decode(stored, content, part.Key);
        WriteFrame(part, index, content, pages);
    }

    private static void WriteFrame(OpenPart part, int index, Span<byte> content, AlignedBuffer pages)
    {
        FrameHash.Require(content, part.Frames[index], index, part.Name, part.Writer);
        part.Write(index, content, pages);
    }

    private interface IWork;

    private sealed record FrameRange(OpenPart Part, int First, int Next, Task<byte[]> Reading) : IWork;

    private sealed record AssemblyWork(OpenPart Part, Assembly Assembly) : IWork;

    private sealed record StreamWork(string Key, IndexedPart Part, MemberWriter Writer) : IWork;
}
