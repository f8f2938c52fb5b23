using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace PgBackup.Postgres.WalRecords;

/// <summary>
/// Reads the records of the log one after the other, through segments and timelines, and checks what the server checks before it replays
/// one: page headers, record headers, the chain of records, checksums (PostgreSQL source: xlogreader.c). Where the server would end recovery,
/// reading ends with a <see cref="WalEnd"/> that says why. Holds a quarter of a megabyte; records of any size pass through. Not thread-safe.
/// </summary>
public sealed partial class WalRecordReader : IAsyncDisposable
{
    private const int PageSize = WalPageHeader.PageSize;
    private const int ChecksumOffset = 20;
    private const byte LastBuiltInManager = 21;
    private const byte FirstCustomManager = 128;

    private readonly WalReadOptions _options;
    private readonly WalPageStream _pages;
    private readonly WalPageCheck _check;
    private readonly WalOpenRecord _open = new();
    private readonly Lsn _stopAt;
    private readonly Lsn _from;

    private bool _starting = true;
    private Lsn _skipTo;
    private Lsn _last;
    private TimelineId _pageTimeline;
    private int _offset = PageSize;
    private int _continuation;
    private Fault? _fault;

    /// <summary>Reads segments of <paramref name="source"/>; nothing is opened yet.</summary>
    public WalRecordReader(IWalSegmentSource source, WalReadOptions options)
    {
        _options = options;
        _pages = new WalPageStream(source, options);
        _check = new WalPageCheck(options);
        _stopAt = WithoutPageHeader(options.StopAt ?? new Lsn(ulong.MaxValue), options.SegmentSize);
        _from = options.StartsAtRecord ? Lsn.Zero : options.Start;
        // Between a switch and its segment's end nothing can be found: without a record to start at, the segment is read from its beginning.
        _skipTo = options.StartsAtRecord
            ? new Lsn(options.Start.Value & ~(ulong)(PageSize - 1))
            : options.SegmentSize.StartOf(options.SegmentSize.SegmentNumberOf(options.Start));
        Position = options.Start;
    }

    private enum Step
    {
        Record,
        NextPage,
        Fault,
    }

    /// <summary>The record that was read last.</summary>
    public WalRecord Current { get; private set; }

    /// <summary>Why reading ended; null before it has.</summary>
    public WalEnd? End { get; private set; }

    /// <summary>The end of the last good record, of any kind: how far the log is proven. At first where reading starts.</summary>
    public Lsn Position { get; private set; }

    /// <summary>The cluster that wrote the log; null before the first segment's header was seen, unless it was given.</summary>
    public ulong? SystemIdentifier => _check.SystemIdentifier;

    /// <summary>The major version of the server that wrote the log; null before the first page.</summary>
    public int? ServerVersion => _check.ServerVersion == 0 ? null : _check.ServerVersion;

    /// <summary>The start of the last record that was checked, of any kind; zero before the first.</summary>
    internal Lsn LastStart => _last;

    /// <summary>What the first record that was checked says of where the one before it starts; null before the first.</summary>
    internal Lsn? FirstPrevious { get; private set; }

    /// <summary>Moves to the next record of the wanted kinds; false when reading has ended.</summary>
    public async ValueTask<bool> ReadAsync(CancellationToken cancellationToken)
    {
        while (End is null)
        {
            Step step = Scan();
            if (step == Step.Record)
                return true;
            if (step == Step.NextPage && !_open.IsOpen && Position >= _stopAt)
            {
                StopAtLimit(Position);
            }
            else if (step == Step.NextPage)
            {
                cancellationToken.ThrowIfCancellationRequested();
                EnterPage(_pages.TryMoveNext() ? WalPageStatus.Page : await _pages.MoveNextAsync(cancellationToken).ConfigureAwait(false));
            }
            if (_fault is { } fault && End is null)
                End = await ConcludeAsync(fault, cancellationToken).ConfigureAwait(false);
        }
        return false;
    }

    /// <summary>What the wanted records say, in order; at the end <see cref="End"/> tells why.</summary>
    public async IAsyncEnumerable<WalEvent> ReadEventsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (await ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (WalEvent.Decode(Current) is { } happened)
                yield return happened;
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _pages.DisposeAsync();

    // Goes on in the current page until a wanted record is whole or the page is used up.
    private Step Scan()
    {
        if (_continuation > 0 && Continue(out Step step))
            return step;
        ReadOnlySpan<byte> page = _pages.Page;
        while (_offset < PageSize)
        {
            Lsn start = _pages.Address + (ulong)_offset;
            if (start >= _stopAt)
                return StopAtLimit(start);
            ReadOnlySpan<byte> rest = page[_offset..];
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(rest);
            if (length < WalRecord.HeaderSize)
                return NoRecord(start, rest, length);
            if (length > rest.Length)
            {
                _open.Begin(start, _pageTimeline, length);
                _offset = PageSize;
                return TakePiece(rest) ? Step.NextPage : Step.Fault;
            }
            ReadOnlySpan<byte> header = rest[..WalRecord.HeaderSize];
            if (HeaderFault(header, start) is { } wrong)
                return Fail(WalEndReason.RecordInvalid, start, wrong, HasData(rest[WalRecord.HeaderSize..]));
            uint checksum = Crc32C.Append(Crc32C.Start, rest[WalRecord.HeaderSize..(int)length]);
            checksum = Crc32C.Finish(Crc32C.Append(checksum, header[..ChecksumOffset]));
            if (checksum != BinaryPrimitives.ReadUInt32LittleEndian(header[ChecksumOffset..]))
                return Fail(WalEndReason.ChecksumMismatch, start, "its checksum is wrong", HasData(rest[(int)length..]));
            int body = _offset + WalRecord.HeaderSize;
            _offset += Align((int)length);
            Lsn end = _pages.Address + (ulong)_offset;
            if (Accept(header, start, end, _pageTimeline, length, out bool wanted) is { } fault)
                return fault;
            if (wanted)
            {
                Current = Current with { Body = _pages.Slice(body, (int)length - WalRecord.HeaderSize) };
                return Step.Record;
            }
        }
        return Step.NextPage;
    }

    // Takes this page's piece of the open record. True when the scan of the page is over, or a wanted record is whole.
    private bool Continue(out Step step)
    {
        ReadOnlySpan<byte> piece = _pages.Page.Slice(_offset, _continuation);
        _offset = _open.Remaining > (uint)piece.Length ? PageSize : _offset + Align(piece.Length);
        _continuation = 0;
        step = Step.Fault;
        if (!TakePiece(piece))
            return true;
        step = Step.NextPage;
        if (_open.Remaining > 0)
            return true;
        _open.Close();
        if (!_open.ChecksumFits)
        {
            step = Fail(WalEndReason.ChecksumMismatch, _open.Start, "its checksum is wrong", HasData(_pages.Page[_offset..]));
            return true;
        }
        Lsn end = _pages.Address + (ulong)_offset;
        if (Accept(_open.Header, _open.Start, end, _open.Timeline, _open.TotalLength, out bool wanted) is { } fault)
        {
            step = fault;
            return true;
        }
        if (!wanted)
            return false;
        Current = Current with { Body = _open.Body };
        step = Step.Record;
        return true;
    }

    private bool TakePiece(ReadOnlySpan<byte> piece)
    {
        if (!_open.HasHeader)
        {
            piece = _open.TakeHeader(piece);
            if (!_open.HasHeader)
                return true;
            if (HeaderFault(_open.Header, _open.Start) is { } wrong)
            {
                Fail(WalEndReason.RecordInvalid, _open.Start, wrong, HasData(piece));
                return false;
            }
            _open.Keep(KindOf(_open.Header), _options.Kinds);
        }
        _open.TakeBody(piece);
        return true;
    }

    private string? HeaderFault(ReadOnlySpan<byte> header, Lsn start)
    {
        byte manager = header[17];
        if (manager is > LastBuiltInManager and < FirstCustomManager)
            return $"its resource manager is {manager}";
        Lsn previous = new(BinaryPrimitives.ReadUInt64LittleEndian(header[8..]));
        if (_last.IsZero ? previous < start : previous == _last)
            return null;
        return $"it follows a record at {previous}, not the one before";
    }

    // Takes a whole, checked record into the chain. Returns a step when reading ends there.
    private Step? Accept(ReadOnlySpan<byte> header, Lsn start, Lsn end, TimelineId timeline, uint length, out bool wanted)
    {
        wanted = false;
        if (_pages.Limit is { } limit && end > limit)
            return StopForNewTimeline(start);
        WalRecordKinds kind = KindOf(header);
        if (kind == WalRecordKinds.Switch)
        {
            ulong size = (ulong)_options.SegmentSize.Bytes;
            end = _skipTo = new Lsn((end.Value + size - 1) & ~(size - 1));
            _offset = PageSize;
        }
        Lsn previous = _last.IsZero ? new Lsn(BinaryPrimitives.ReadUInt64LittleEndian(header[8..])) : _last;
        FirstPrevious ??= previous;
        _last = start;
        Position = end;
        if ((kind & _options.Kinds) == 0 || start < _from)
            return null;
        wanted = true;
        Current = new WalRecord
        {
            Start = start,
            End = end,
            Previous = previous,
            Timeline = timeline,
            Xid = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]),
            ResourceManager = header[17],
            Info = header[16],
            TotalLength = length,
            Kind = kind,
            ServerVersion = _check.ServerVersion,
            Body = default,
        };
        return null;
    }

    private void EnterPage(WalPageStatus status)
    {
        _offset = PageSize;
        if (status != WalPageStatus.Page)
        {
            StopForSegment(status);
            return;
        }
        Lsn address = _pages.Address;
        // After a switch nothing is written; before the start only the segment's own header matters.
        if (address < _skipTo && !_pages.IsFirstOfSegment)
            return;
        if (_pages.Limit is { } limit && address >= limit)
        {
            StopForNewTimeline(_open.IsOpen ? _open.Start : Position);
            return;
        }
        ReadOnlySpan<byte> page = _pages.Page;
        WalPageHeader header = WalPageHeader.Read(page);
        if (_check.Check(header, page, address, _pages.Segment) is var (reason, detail))
        {
            FailPage(reason, detail);
            return;
        }
        _pageTimeline = header.Timeline;
        if (address < _skipTo)
            return;
        bool continues = (header.Flags & WalPageFlags.FirstIsContinuation) != 0;
        if (_starting)
            StartIn(header, continues);
        else if (_open.IsOpen && (header.Flags & WalPageFlags.FirstOverwritesContinuation) == 0)
            ContinueIn(header, continues);
        else if (continues)
            FailPage(WalEndReason.PageInvalid, "it continues a record that was not begun");
        else
            BeginIn(header);
    }

    private void StartIn(in WalPageHeader header, bool continues)
    {
        int size = header.HeaderSize;
        if (_options.StartsAtRecord)
        {
            int offset = (int)(_options.Start.Value % PageSize);
            offset = offset == 0 ? size : offset;
            if (offset < size || offset != Align(offset) || (offset == size && continues))
                Fail(WalEndReason.StartInvalid, _options.Start, "none starts there", follows: true);
            _offset = offset;
        }
        else
        {
            long offset = size + (continues ? ((long)header.RemainingLength + 7) & ~7L : 0);
            if (offset >= PageSize)
                return;
            _offset = (int)offset;
        }
        _starting = false;
    }

    private void ContinueIn(in WalPageHeader header, bool continues)
    {
        if (!continues || header.RemainingLength != _open.Remaining)
        {
            string detail = $"the page at {_pages.Address} does not continue it";
            Fail(WalEndReason.ContinuationLost, _open.Start, detail, follows: true);
            return;
        }
        _offset = header.HeaderSize;
        _continuation = (int)Math.Min(header.RemainingLength, (uint)(PageSize - _offset));
    }

    // The record left open by the page before, if any, was lost in a crash: its successor stands here and links to the record before it.
    private void BeginIn(in WalPageHeader header)
    {
        _open.Close();
        _offset = header.HeaderSize;
    }

    // No record starts in a page's header: a limit there is one at the end of the page before.
    private static Lsn WithoutPageHeader(Lsn lsn, WalSegmentSize size)
    {
        ulong offset = lsn.Value % PageSize;
        int header = size.OffsetOf(lsn) < PageSize ? WalPageHeader.LongSize : WalPageHeader.ShortSize;
        return offset <= (ulong)header ? new Lsn(lsn.Value - offset) : lsn;
    }

    private static WalRecordKinds KindOf(ReadOnlySpan<byte> header) => WalRecord.KindOf(header[17], header[16]);

    private static bool HasData(ReadOnlySpan<byte> bytes) => bytes.ContainsAnyExcept((byte)0);

    private static int Align(int length) => (length + 7) & ~7;
}
