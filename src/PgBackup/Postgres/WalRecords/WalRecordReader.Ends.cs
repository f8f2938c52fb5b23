namespace PgBackup.Postgres.WalRecords;

/// <content>How reading ends: what is wrong at a place, and whether that is damage or the end of the log.</content>
public sealed partial class WalRecordReader
{
    private Step NoRecord(Lsn start, ReadOnlySpan<byte> rest, uint length) => length == 0
        ? Fail(WalEndReason.Zeros, start, "there are zeros", HasData(rest))
        : Fail(WalEndReason.RecordInvalid, start, $"its length is {length}", HasData(rest[Math.Min(WalRecord.HeaderSize, rest.Length)..]));

    private void FailPage(WalEndReason reason, string detail)
    {
        bool ordinary = reason is WalEndReason.Zeros or WalEndReason.OldPage;
        Lsn position = _open.IsOpen ? _open.Start : Position;
        Fail(_open.IsOpen && ordinary ? WalEndReason.ContinuationLost : reason, position, $"the page at {_pages.Address} is not valid: {detail}", follows: false);
    }

    private Step Fail(WalEndReason reason, Lsn position, string detail, bool follows)
    {
        _fault = new Fault(reason, position, _pages.Segment, detail, follows);
        return Step.Fault;
    }

    private Step Stop(WalEndKind kind, WalEndReason reason, Lsn position, string message)
    {
        End = new WalEnd(kind, reason, position, _pages.Segment, message);
        return Step.Fault;
    }

    private Step StopAtLimit(Lsn position) =>
        Stop(WalEndKind.StopReached, WalEndReason.StopReached, position, $"The limit {_options.StopAt} was reached.");

    private void StopForSegment(WalPageStatus status)
    {
        Lsn position = _open.IsOpen ? _open.Start : Position;
        if (status == WalPageStatus.SegmentMissing)
            Stop(WalEndKind.SegmentMissing, WalEndReason.SegmentMissing, position, $"The segment {_pages.Segment} is not there.");
        else
            Stop(WalEndKind.Damaged, WalEndReason.SegmentSizeWrong, position,
                $"The segment {_pages.Segment} is {(status == WalPageStatus.SegmentTooShort ? "shorter" : "longer")} than {_options.SegmentSize.Bytes} bytes.");
    }

    private Step StopForNewTimeline(Lsn position)
    {
        WalSegmentName missing = _options.History.SegmentFor(_pages.Segment.NumberFor(_options.SegmentSize), _options.SegmentSize);
        End = new WalEnd(WalEndKind.SegmentMissing, WalEndReason.SegmentMissing, position, missing, $"The segment {missing} is not there.");
        return Step.Fault;
    }

    private async ValueTask<WalEnd> ConcludeAsync(Fault fault, CancellationToken cancellationToken)
    {
        if (_pages.Limit is { } limit && fault.Position >= limit)
        {
            StopForNewTimeline(fault.Position);
            return End!;
        }
        WalEndKind kind = WalEndKind.Damaged;
        if (fault.Reason is not (WalEndReason.PageInvalid or WalEndReason.ForeignSegment or WalEndReason.StartInvalid) && !fault.Follows
            && !await LogGoesOnAsync(cancellationToken).ConfigureAwait(false))
            kind = fault.Reason is WalEndReason.Zeros or WalEndReason.OldPage ? WalEndKind.EndOfWal : WalEndKind.Torn;
        string message = kind switch
        {
            WalEndKind.EndOfWal => $"The log ends at {fault.Position} in segment {fault.Segment}: {fault.Detail}.",
            WalEndKind.Torn => $"The last record at {fault.Position} in segment {fault.Segment} is incomplete: {fault.Detail}.",
            _ => $"The log is damaged at {fault.Position} in segment {fault.Segment}: {fault.Detail}.",
        };
        return new WalEnd(kind, fault.Reason, fault.Position, fault.Segment, message);
    }

    // Whether a page that belongs to the log comes later in this segment, or the next segment begins with one.
    private async ValueTask<bool> LogGoesOnAsync(CancellationToken cancellationToken)
    {
        do
        {
            if (await _pages.MoveNextAsync(cancellationToken).ConfigureAwait(false) != WalPageStatus.Page)
                return false;
            WalPageHeader header = WalPageHeader.Read(_pages.Page);
            if (header.MajorVersion is not null && header.Address == _pages.Address)
                return true;
        }
        while (!_pages.IsFirstOfSegment);
        return false;
    }

    private sealed record Fault(WalEndReason Reason, Lsn Position, WalSegmentName Segment, string Detail, bool Follows);
}
