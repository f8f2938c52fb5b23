using System.Numerics;
using PgBackup.Platform;

namespace PgBackup.Restore.Fetching;

/// <summary>
/// What the newer backups of a chain have settled of one file, because a chain is restored newest first and each page is written once: a bit for each page that one of
/// them brought, and the size below which an older one may still bring something. A page beyond the size that the file had in between was cut off then, and what
/// an older backup holds of it must not come back: it is zero, or a newer backup has it. One backup's increment is taken at a time.
/// </summary>
/// <param name="modified">The file's modification time in the newest backup.</param>
internal sealed class PageLedger(FileTime modified)
{
    private const int PagesPerWord = 64;

    private static readonly byte[] s_zeros = new byte[128 * 1024];

    private ulong[] _brought = [];
    private int _pageSize;

    /// <summary>The modification time that the file will have.</summary>
    public FileTime Modified { get; } = modified;

    /// <summary>The bytes of a page; 0 while no increment had any.</summary>
    public int PageSize => _pageSize;

    /// <summary>The bytes of the file at its end; known once the newest increment was taken.</summary>
    public long FileSize { get; private set; }

    /// <summary>From here on nothing older counts: the smallest size of the file in the backups that were taken.</summary>
    public long Limit { get; private set; } = long.MaxValue;

    /// <summary>
    /// Takes the next older backup's increment; returns which of its pages are to be written. Throws <see cref="InvalidDataException"/> when its pages are of another size.
    /// </summary>
    public IncrementPages Take(IncrementHeader header)
    {
        if (header.PageSize > 0)
        {
            if (_pageSize > 0 && _pageSize != header.PageSize)
                throw new InvalidDataException($"Its pages have {header.PageSize} bytes, those of a newer increment {_pageSize}.");
            _pageSize = header.PageSize;
        }
        if (Limit == long.MaxValue)
            FileSize = header.FileSize;
        ulong[] open = new ulong[(header.Blocks.Length + PagesPerWord - 1) / PagesPerWord];
        for (int i = 0; i < header.Blocks.Length; i++)
        {
            uint block = header.Blocks[i];
            if (block * (long)_pageSize < Limit && Bring(block))
                open[i / PagesPerWord] |= 1UL << i;
        }
        long limit = Limit;
        Limit = Math.Min(limit, header.FileSize);
        return new IncrementPages(header, open, limit);
    }

    /// <summary>True when nothing that an older backup holds of these bytes counts.</summary>
    public bool IsSettled(long from, long to) => NextOpen(from, to) is null;

    /// <summary>Writes what still counts of a piece of the whole file that the oldest backup holds.</summary>
    public void WriteOpen(DestinationFile file, ReadOnlySpan<byte> piece, long offset)
    {
        for (long at = offset; NextOpen(at, offset + piece.Length) is { } run; at = run.To)
            file.Write(piece[(int)(run.From - offset)..(int)(run.To - offset)], run.From);
    }

    /// <summary>
    /// Clears what no backup of the chain has brought, where the file held something else before: what lies at or beyond the limit, or beyond the end of the whole file
    /// that the oldest backup holds (<paramref name="baseSize"/>).
    /// </summary>
    public void ClearUnbrought(DestinationFile file, long baseSize)
    {
        for (long at = Math.Min(baseSize, Limit); NextUnbrought(at, FileSize) is { } run; at = run.To)
        {
            for (long from = run.From; from < run.To; from += s_zeros.Length)
                file.Write(s_zeros.AsSpan(0, (int)Math.Min(s_zeros.Length, run.To - from)), from);
        }
    }

    /// <summary>The first run of bytes between <paramref name="from"/> and <paramref name="to"/> that no newer backup has brought and that lies below the limit.</summary>
    public (long From, long To)? NextOpen(long from, long to) => NextUnbrought(from, Math.Min(to, Limit));

    /// <summary>The first run of bytes between <paramref name="from"/> and <paramref name="to"/> that newer backups have brought.</summary>
    public (long From, long To)? NextBrought(long from, long to)
    {
        if (from >= to || _pageSize == 0)
            return null;
        long first = Find(from / _pageSize, to, brought: true);
        long start = Math.Max(from, first * _pageSize);
        return start >= to ? null : (start, Math.Min(to, Find(first, to, brought: false) * _pageSize));
    }

    private (long From, long To)? NextUnbrought(long from, long to)
    {
        if (from >= to)
            return null;
        if (_pageSize == 0)
            return (from, to);
        long first = Find(from / _pageSize, to, brought: false);
        long start = Math.Max(from, first * _pageSize);
        return start >= to ? null : (start, Math.Min(to, Find(first, to, brought: true) * _pageSize));
    }

    /// <summary>The first page at or after <paramref name="page"/> that was brought, or was not; one that begins at or after <paramref name="end"/> when there is none before.</summary>
    private long Find(long page, long end, bool brought)
    {
        long last = (end + _pageSize - 1) / _pageSize;
        while (page < last)
        {
            int word = (int)(page / PagesPerWord);
            ulong bits = word < _brought.Length ? _brought[word] : 0;
            if (!brought)
                bits = ~bits;
            bits >>= (int)(page % PagesPerWord);
            if (bits != 0)
                return Math.Min(last, page + BitOperations.TrailingZeroCount(bits));
            page = (word + 1L) * PagesPerWord;
        }
        return last;
    }

    private bool Bring(uint block)
    {
        int word = (int)(block / PagesPerWord);
        if (word >= _brought.Length)
            Array.Resize(ref _brought, Math.Max(word + 1, (int)Math.Min(((FileSize / _pageSize) + PagesPerWord) / PagesPerWord, 4L * (word + 1))));
        ulong bit = 1UL << (int)(block % PagesPerWord);
        bool isNew = (_brought[word] & bit) == 0;
        _brought[word] |= bit;
        return isNew;
    }
}

/// <summary>The pages of one increment: which of them are to be written, and where.</summary>
/// <param name="header">The increment's header.</param>
/// <param name="open">A bit for each page, in the increment's order: whether it counts.</param>
/// <param name="limit">What lies at or beyond this is left out.</param>
internal sealed class IncrementPages(IncrementHeader header, ulong[] open, long limit)
{
    /// <summary>The increment's header.</summary>
    public IncrementHeader Header { get; } = header;

    /// <summary>Writes whole pages, of which the first is number <paramref name="first"/> of the increment; neighbours in the file go in one write.</summary>
    public void Write(DestinationFile file, ReadOnlySpan<byte> pages, int first)
    {
        int size = Header.PageSize;
        int count = pages.Length / size;
        for (int i = 0; i < count;)
        {
            int start = i++;
            if (!IsOpen(first + start))
                continue;
            while (i < count && IsOpen(first + i) && Header.Blocks[first + i] == Header.Blocks[first + i - 1] + 1)
                i++;
            long offset = Header.Blocks[first + start] * (long)size;
            int length = (int)Math.Min((i - start) * (long)size, limit - offset);
            file.Write(pages.Slice(start * size, length), offset);
        }
    }

    /// <summary>The first page that ends behind a position of the file.</summary>
    public int FirstEndingAfter(long position)
    {
        int low = 0, high = Header.Blocks.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (OffsetOf(middle) + Header.PageSize <= position)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    /// <summary>Where a page lies in the file.</summary>
    public long OffsetOf(int page) => Header.Blocks[page] * (long)Header.PageSize;

    /// <summary>Copies what counts of a page into the region of the file that begins at <paramref name="from"/>.</summary>
    public void Copy(int page, ReadOnlySpan<byte> content, Span<byte> region, long from)
    {
        long at = OffsetOf(page);
        long start = Math.Max(at, from), end = Math.Min(Math.Min(at + content.Length, limit), from + region.Length);
        if (start < end)
            content[(int)(start - at)..(int)(end - at)].CopyTo(region[(int)(start - from)..]);
    }

    /// <summary>Whether a page counts.</summary>
    public bool IsOpen(int page) => (open[page / 64] & (1UL << page)) != 0;
}
