using PgBackup.Platform;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// What the newer backups of a chain hold of one file, while its base is written: regions of the file are put together in memory, the base's bytes below and the newest pages
/// above, and written as one piece each. Only the block lists are held; the pages are fetched for the region that is at hand.
/// </summary>
internal sealed class FileOverlay
{
    /// <summary>The bytes of a region that is made of newer pages alone; regions begin at multiples of it.</summary>
    public const int RegionSize = 4 << 20;

    private readonly IncrementFrames _frames;
    private readonly List<(DeferredIncrement Increment, IncrementPages Pages)> _levels = [];

    private FileOverlay(DeferredIncrement newest, IncrementFrames frames)
    {
        _frames = frames;
        Mode = newest.Mode;
        Ledger = new PageLedger(newest.Modified);
    }

    /// <summary>Which pages the newer backups hold, and the sizes that the file had.</summary>
    public PageLedger Ledger { get; }

    /// <summary>The file's permission bits in the newest backup.</summary>
    public UnixFileMode Mode { get; }

    /// <summary>Where the base ends. A page of which it holds only the beginning, and that is newer, does not belong to it.</summary>
    public long BaseEnd { get; private set; }

    /// <summary>Reads the block lists of a file's increments, of which the oldest is given. Throws <c>BackupDamaged</c>, and what the store throws.</summary>
    public static async Task<FileOverlay> LoadAsync(DeferredIncrement oldest, long baseSize, IncrementFrames frames, CancellationToken cancellationToken)
    {
        var increments = new Stack<DeferredIncrement>();
        for (DeferredIncrement? increment = oldest; increment is not null; increment = increment.Newer)
            increments.Push(increment);
        var overlay = new FileOverlay(increments.Peek(), frames);
        foreach (DeferredIncrement increment in increments)
        {
            IncrementHeader header = await increment.ReadHeaderAsync(frames, cancellationToken).ConfigureAwait(false);
            try
            {
                overlay._levels.Add((increment, overlay.Ledger.Take(header)));
            }
            catch (InvalidDataException error)
            {
                throw increment.Damaged(error);
            }
        }
        overlay.BaseEnd = overlay.EndOfBase(baseSize);
        return overlay;
    }

    /// <summary>Begins to fetch what a region of the file needs.</summary>
    public void Prefetch(long from, long to, CancellationToken cancellationToken)
    {
        foreach ((DeferredIncrement increment, IncrementPages pages) in _levels)
        {
            int last = -1;
            for (int i = pages.FirstEndingAfter(from); i < pages.Header.Blocks.Length && pages.OffsetOf(i) < to; i++)
            {
                if (!pages.IsOpen(i) || (last >= 0 && PositionOf(increment, pages, i) < increment.Part.Starts[last + 1]))
                    continue;
                last = increment.Part.Starts.FrameAt(PositionOf(increment, pages, i));
                _frames.Prefetch(increment.Part, last, cancellationToken);
            }
        }
    }

    /// <summary>
    /// Fetches the newer pages of the region of the file that begins at <paramref name="from"/> into <paramref name="length"/> bytes of a buffer of <paramref name="total"/>,
    /// from <paramref name="at"/> on; what is in none of them is zero. Throws <c>BackupDamaged</c>, and what the store throws.
    /// </summary>
    public async Task GatherAsync(long from, int length, AlignedBuffer buffer, int total, int at, CancellationToken cancellationToken)
    {
        if (IsUntouched(from, from + length))
            return;
        buffer.Span(total).Slice(at, length).Clear();
        foreach ((DeferredIncrement increment, IncrementPages pages) in _levels)
        {
            for (int i = pages.FirstEndingAfter(from); i < pages.Header.Blocks.Length && pages.OffsetOf(i) < from + length;)
            {
                if (!pages.IsOpen(i))
                {
                    i++;
                    continue;
                }
                int frame = increment.Part.Starts.FrameAt(PositionOf(increment, pages, i));
                byte[] content = await _frames.GetAsync(increment.Part, frame, cancellationToken).ConfigureAwait(false);
                i = Copy(increment, pages, i, content, increment.Part.Starts[frame], buffer.Span(total).Slice(at, length), from);
            }
        }
    }

    /// <summary>Writes a piece of the base, with what was gathered for it laid over it.</summary>
    public void Write(DestinationFile file, Span<byte> piece, ReadOnlySpan<byte> newer, long offset)
    {
        long end = Math.Min(offset + piece.Length, Math.Min(BaseEnd, Ledger.FileSize));
        if (offset >= end)
            return;
        for (long at = offset; at < end;)
        {
            (long from, long to) = Ledger.NextOpen(at, end) ?? (end, end);
            newer[(int)(at - offset)..(int)(from - offset)].CopyTo(piece[(int)(at - offset)..]);
            at = to;
        }
        file.Write(piece[..(int)(end - offset)], offset);
    }

    /// <summary>Writes a region of which the base brings nothing.</summary>
    public async Task AssembleAsync(DestinationFile file, long from, long to, AlignedBuffer buffer, CancellationToken cancellationToken)
    {
        int length = (int)(to - from);
        await GatherAsync(from, length, buffer, length, 0, cancellationToken).ConfigureAwait(false);
        long first = to, end = from;
        for (long at = from; Ledger.NextBrought(at, to) is { } run; at = run.To)
            (first, end) = (Math.Min(first, run.From), run.To);
        if (first < end)
            file.Write(buffer.Span(length)[(int)(first - from)..(int)(end - from)], first);
    }

    /// <summary>Writes the newer pages, and only them, before the base: it comes in a way in which nothing can be laid over it.</summary>
    public async Task WriteAloneAsync(DestinationFile file, CancellationToken cancellationToken)
    {
        using var buffer = new AlignedBuffer();
        file.SetLength(Ledger.FileSize);
        for (long at = 0; Ledger.NextBrought(at, Ledger.FileSize) is { } run; at = run.To)
        {
            for (long from = run.From; from < run.To; from += RegionSize)
                await AssembleAsync(file, from, Math.Min(run.To, from + RegionSize), buffer, cancellationToken).ConfigureAwait(false);
        }
    }

    private static long PositionOf(DeferredIncrement increment, IncrementPages pages, int page) =>
        increment.Offset + pages.Header.Length + ((long)page * pages.Header.PageSize);

    /// <summary>Copies the pages from <paramref name="page"/> on that lie in a frame and in the region; returns the first that does not.</summary>
    private static int Copy(DeferredIncrement increment, IncrementPages pages, int page, byte[] frame, long frameStart, Span<byte> region, long from)
    {
        int size = pages.Header.PageSize;
        for (; page < pages.Header.Blocks.Length && pages.OffsetOf(page) < from + region.Length; page++)
        {
            long at = PositionOf(increment, pages, page) - frameStart;
            if (at >= frame.Length)
                break;
            if (at + size > frame.Length)
                throw increment.Damaged(new InvalidDataException("A frame holds a part of a page."));
            if (pages.IsOpen(page))
                pages.Copy(page, frame.AsSpan((int)at, size), region, from);
        }
        return page;
    }

    private bool IsUntouched(long from, long to) => Ledger.NextOpen(from, to) == (from, to);

    private long EndOfBase(long size)
    {
        long end = Math.Min(size, Ledger.FileSize);
        if (Ledger.PageSize == 0 || end % Ledger.PageSize == 0)
            return end;
        return Ledger.IsSettled(end - 1, end) ? end - (end % Ledger.PageSize) : end;
    }
}
