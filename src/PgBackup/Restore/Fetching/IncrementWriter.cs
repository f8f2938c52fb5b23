namespace PgBackup.Restore.Fetching;

/// <summary>
/// Applies an increment to its file as its bytes come by, in pieces of any length. Throws <see cref="InvalidDataException"/> for anything that is no increment.
/// </summary>
/// <param name="file">The file.</param>
/// <param name="length">The bytes of the increment.</param>
/// <param name="begin">Takes the header, and says which pages count.</param>
internal sealed class IncrementWriter(DestinationFile file, long length, Func<IncrementHeader, IncrementPages> begin)
{
    private byte[] _pending = new byte[IncrementHeader.StartLength];
    private int _filled;
    private long _taken;
    private IncrementPages? _pages;
    private int _page;

    /// <summary>Takes the next bytes.</summary>
    public void Write(ReadOnlySpan<byte> data)
    {
        _taken += data.Length;
        while (!data.IsEmpty)
        {
            if (_pages is not null && _page == _pages.Header.Blocks.Length)
                throw new InvalidDataException("There are bytes after the increment's last page.");
            if (_pages is { } pages && _filled == 0 && data.Length >= pages.Header.PageSize)
            {
                int whole = Math.Min(data.Length / pages.Header.PageSize, pages.Header.Blocks.Length - _page);
                WritePages(data[..(whole * pages.Header.PageSize)]);
                data = data[(whole * pages.Header.PageSize)..];
                continue;
            }
            int take = Math.Min(data.Length, _pending.Length - _filled);
            data[..take].CopyTo(_pending.AsSpan(_filled));
            data = data[take..];
            _filled += take;
            if (_filled == _pending.Length)
                TakePending();
        }
    }

    /// <summary>Checks that it came whole.</summary>
    public void Complete()
    {
        if (_pages is null || _page != _pages.Header.Blocks.Length || _taken != length)
            throw new InvalidDataException($"The increment ends after {_taken} of {length} bytes.");
    }

    private void TakePending()
    {
        if (_pages is not null)
        {
            _filled = 0;
            WritePages(_pending);
        }
        else if (IncrementHeader.LengthOf(_pending) is var whole && whole > _pending.Length)
        {
            Array.Resize(ref _pending, whole);
        }
        else
        {
            _pages = begin(IncrementHeader.Parse(_pending, length));
            _filled = 0;
            _pending = new byte[_pages.Header.PageSize];
        }
    }

    private void WritePages(ReadOnlySpan<byte> pages)
    {
        _pages!.Write(file, pages, _page);
        _page += pages.Length / _pages.Header.PageSize;
    }
}
