using System.Buffers;
using System.IO.Hashing;
using System.Threading.Channels;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// Writes the members of parts whose frames can be read alone: the part is read in big ranges one after another, the frames are decoded, checked and written by
/// all workers at once. A worker holds one range and one frame, so memory is bounded by their number.
/// </summary>
internal sealed class IndexedFetch(BackupRepository repository, int workers) : IAsyncDisposable
{
    private const int RangeSize = 4 << 20;

    private readonly FrameDecoder _decoder = new();
    private readonly List<OpenPart> _parts = [];
    private readonly Channel<IWork> _ranges = Channel.CreateBounded<IWork>(workers);

    /// <summary>The workers; ends when the ranges do.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var running = new Task[workers];
        for (int i = 0; i < workers; i++)
            running[i] = Task.Run(() => WorkAsync(cancellationToken), cancellationToken);
        await Task.WhenAll(running).ConfigureAwait(false);
    }

    /// <summary>Hands a part to the workers; waits while they are behind.</summary>
    public async Task AddAsync(string key, IndexedPart part, MemberWriter writer, CancellationToken cancellationToken)
    {
        var open = new OpenPart(key, part, writer);
        _parts.RemoveAll(static p => !p.HasOpenFiles);
        _parts.Add(open);
        long stored = 0;
        for (int first = 0; first < part.Frames.Count;)
        {
            if (!open.IsWanted(first))
            {
                stored += part.Frames[first++].Length;
                continue;
            }
            int next = first;
            int length = 0;
            do
                length += part.Frames[next++].Length;
            while (next < part.Frames.Count && length + part.Frames[next].Length <= RangeSize && open.IsWanted(next));
            await _ranges.Writer.WriteAsync(new FrameRange(open, first, next, stored, length), cancellationToken).ConfigureAwait(false);
            stored += length;
            first = next;
        }
    }

    /// <summary>Hands over a part that can only be read from its beginning; one worker reads it.</summary>
    public async Task AddStreamAsync(string key, IndexedPart part, MemberWriter writer, CancellationToken cancellationToken) =>
        await _ranges.Writer.WriteAsync(new StreamWork(key, part, writer), cancellationToken).ConfigureAwait(false);

    /// <summary>No more parts come, or never mind (with an error).</summary>
    public void Complete(Exception? error = null) => _ranges.Writer.TryComplete(error);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        Complete();
        foreach (OpenPart part in _parts)
            part.Dispose();
        _decoder.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        using var plain = new AlignedBuffer();
        await foreach (IWork work in _ranges.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            if (work is StreamWork stream)
                await StreamedPart.FetchAsync(repository, stream.Key, stream.Part, stream.Writer, false, cancellationToken).ConfigureAwait(false);
            else
                await WriteRangeAsync((FrameRange)work, plain, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task WriteRangeAsync(FrameRange range, AlignedBuffer plain, CancellationToken cancellationToken)
    {
        byte[] stored = ArrayPool<byte>.Shared.Rent(range.Length);
        try
        {
            await ReadAsync(range, stored.AsMemory(0, range.Length), cancellationToken).ConfigureAwait(false);
            WriteFrames(range, stored, plain, cancellationToken);
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

    private async Task ReadAsync(FrameRange range, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        Stream source = await repository.Store.OpenReadAsync(range.Part.Key, range.Offset, range.Length, cancellationToken).ConfigureAwait(false);
        await using (source.ConfigureAwait(false))
        {
            if (await source.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false) < buffer.Length)
                throw range.Part.Writer.Damaged($"{range.Part.Name} ends too early.");
        }
    }

    private void WriteFrames(FrameRange range, byte[] stored, AlignedBuffer plain, CancellationToken cancellationToken)
    {
        int offset = 0;
        for (int i = range.First; i < range.Next; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            IndexedFrame frame = range.Part.Frames[i];
            ReadOnlySpan<byte> bytes = stored.AsSpan(offset, frame.Length);
            if (range.Part.IsCompressed)
            {
                Span<byte> content = plain.Span(frame.PlainLength);
                _decoder.Decode(bytes, content, range.Part.Key);
                bytes = content;
            }
            WriteFrame(range.Part, i, bytes);
            offset += frame.Length;
        }
    }

    private static void WriteFrame(OpenPart part, int index, ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[16];
        XxHash128.Hash(content, hash);
        if (content.Length != part.Frames[index].PlainLength || !string.Equals(Convert.ToHexStringLower(hash), part.Frames[index].Hash, StringComparison.Ordinal))
            throw part.Writer.Damaged($"frame {index + 1} of {part.Name} does not have the checksum that the index says.");
        part.Write(index, content);
    }

    private interface IWork;

    private sealed record FrameRange(OpenPart Part, int First, int Next, long Offset, int Length) : IWork;

    private sealed record StreamWork(string Key, IndexedPart Part, MemberWriter Writer) : IWork;
}
