using PgBackup.Postgres.Files;

namespace PgBackup.Postgres.WalRecords;

/// <summary>What asking for the next page came to.</summary>
internal enum WalPageStatus
{
    Page,
    SegmentMissing,
    SegmentTooShort,
    SegmentTooLong,
}

/// <summary>
/// The pages of the log one after the other, through the segments that a history names. Holds one chunk of pages; checks no content.
/// </summary>
internal sealed class WalPageStream : IAsyncDisposable
{
    private const int ChunkSize = 32 * WalPageHeader.PageSize;

    private readonly IWalSegmentSource _source;
    private readonly TimelineHistory _history;
    private readonly WalSegmentSize _size;
    private readonly byte[] _chunk = new byte[ChunkSize];
    private Stream? _stream;
    private ulong _nextSegment;
    private int _left;
    private int _start;
    private int _end;

    internal WalPageStream(IWalSegmentSource source, WalReadOptions options)
    {
        _source = source;
        _history = options.History;
        _size = options.SegmentSize;
        _nextSegment = _size.SegmentNumberOf(options.Start);
        Segment = _history.SegmentFor(_nextSegment, _size);
    }

    /// <summary>The segment of the current page, or the one that is missing.</summary>
    internal WalSegmentName Segment { get; private set; }

    /// <summary>The address that the current page must have.</summary>
    internal Lsn Address { get; private set; }

    /// <summary>
    /// The LSN from which the current segment's file is not part of the history: set when the file of the new timeline is missing and
    /// its parent's stands in for the part before the switch.
    /// </summary>
    internal Lsn? Limit { get; private set; }

    internal bool IsFirstOfSegment => _size.OffsetOf(Address) == 0;

    internal ReadOnlySpan<byte> Page => _chunk.AsSpan(_start, WalPageHeader.PageSize);

    /// <summary>A part of the current page; good until the next chunk is read.</summary>
    internal ReadOnlyMemory<byte> Slice(int offset, int length) => _chunk.AsMemory(_start + offset, length);

    /// <summary>Moves to the next page when it is in memory.</summary>
    internal bool TryMoveNext()
    {
        if (_end - _start < 2 * WalPageHeader.PageSize)
            return false;
        _start += WalPageHeader.PageSize;
        Address += WalPageHeader.PageSize;
        return true;
    }

    internal async ValueTask<WalPageStatus> MoveNextAsync(CancellationToken cancellationToken)
    {
        if (TryMoveNext())
            return WalPageStatus.Page;
        Lsn address = Address + (ulong)(_end > _start ? WalPageHeader.PageSize : 0);
        if (_left == 0)
        {
            if (await EndsTooLateAsync(cancellationToken).ConfigureAwait(false))
                return WalPageStatus.SegmentTooLong;
            if (!await OpenNextAsync(cancellationToken).ConfigureAwait(false))
                return WalPageStatus.SegmentMissing;
            address = _size.StartOf(_nextSegment - 1);
        }
        int wanted = Math.Min(_left, ChunkSize);
        int read = await _stream!.ReadAtLeastAsync(_chunk.AsMemory(0, wanted), wanted, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        int pages = read / WalPageHeader.PageSize * WalPageHeader.PageSize;
        _left -= pages;
        _start = 0;
        _end = pages;
        Address = address;
        if (pages > 0)
            return WalPageStatus.Page;
        return WalPageStatus.SegmentTooShort;
    }

    public async ValueTask DisposeAsync()
    {
        if (_stream is not null)
            await _stream.DisposeAsync().ConfigureAwait(false);
        _stream = null;
    }

    private async ValueTask<bool> EndsTooLateAsync(CancellationToken cancellationToken)
    {
        if (_stream is null)
            return false;
        int more = await _stream.ReadAsync(_chunk.AsMemory(0, 1), cancellationToken).ConfigureAwait(false);
        _start = _end = 0;
        await DisposeAsync().ConfigureAwait(false);
        return more > 0;
    }

    private async ValueTask<bool> OpenNextAsync(CancellationToken cancellationToken)
    {
        Lsn start = _size.StartOf(_nextSegment);
        Segment = _history.SegmentFor(_nextSegment, _size);
        Address = start;
        Limit = null;
        _stream = await _source.OpenAsync(Segment, cancellationToken).ConfigureAwait(false);
        for (int i = _history.Path.Count - 1; _stream is null && i >= 0; i--)
        {
            // Not archived yet, perhaps: the part before the switch is in the parent's segment, too.
            TimelineSpan span = _history.Path[i];
            if (span.Timeline >= Segment.Timeline || span.End is not { } end || end <= start || _size.SegmentNumberOf(span.Start) > _nextSegment)
                continue;
            WalSegmentName parent = Segment.On(span.Timeline);
            _stream = await _source.OpenAsync(parent, cancellationToken).ConfigureAwait(false);
            if (_stream is not null)
            {
                Segment = parent;
                Limit = end;
            }
        }
        if (_stream is null)
            return false;
        _left = _size.Bytes;
        _nextSegment++;
        return true;
    }
}
