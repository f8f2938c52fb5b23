using System.Buffers.Binary;
using System.Globalization;
using PgBackup.Postgres.Files;

namespace PgBackup.Postgres.WalRecords;

/// <summary>
/// Checks the headers of pages that are read in order (PostgreSQL source: xlogreader.c "XLogReaderValidatePageHeader"), and against the
/// timelines of a history, which the server does elsewhere.
/// </summary>
internal sealed class WalPageCheck(WalReadOptions options)
{
    private readonly TimelineHistory _history = options.History;
    private ushort _magic;
    private TimelineId _lastTimeline;

    /// <summary>The cluster that wrote the log; null before the first segment's header was seen, unless it was given.</summary>
    internal ulong? SystemIdentifier { get; private set; } = options.SystemIdentifier;

    /// <summary>The server's major version; 0 before the first page.</summary>
    internal int ServerVersion { get; private set; }

    /// <summary>What is wrong with the page that must have the address; null when nothing is.</summary>
    internal (WalEndReason Reason, string Detail)? Check(in WalPageHeader header, ReadOnlySpan<byte> page, Lsn address, WalSegmentName segment)
    {
        if (header == default)
            return page.ContainsAnyExcept((byte)0) ? (WalEndReason.PageInvalid, "its header is zero") : (WalEndReason.Zeros, "it is all zero");
        if (header.MajorVersion is not { } version || (_magic != 0 && header.Magic != _magic))
            return (WalEndReason.PageInvalid, string.Create(CultureInfo.InvariantCulture, $"its magic is {header.Magic:X4}"));
        if ((header.Flags & ~WalPageFlags.All) != 0)
            return (WalEndReason.PageInvalid, string.Create(CultureInfo.InvariantCulture, $"its flags are {(ushort)header.Flags:X4}"));
        if ((header.Flags & WalPageFlags.LongHeader) != 0)
        {
            if (CheckLongHeader(page) is { } foreign)
                return (WalEndReason.ForeignSegment, foreign);
        }
        else if (options.SegmentSize.OffsetOf(address) == 0)
        {
            return (WalEndReason.PageInvalid, "a segment's first page has no long header");
        }
        if (header.Address != address)
            return (header.Address < address ? WalEndReason.OldPage : WalEndReason.PageInvalid, $"its address is {header.Address}");
        if (CheckTimeline(header.Timeline, address, segment) is { } timeline)
            return (WalEndReason.PageInvalid, timeline);
        _magic = header.Magic;
        ServerVersion = version;
        return null;
    }

    private string? CheckLongHeader(ReadOnlySpan<byte> page)
    {
        ulong system = BinaryPrimitives.ReadUInt64LittleEndian(page[24..]);
        uint segmentSize = BinaryPrimitives.ReadUInt32LittleEndian(page[32..]);
        if (SystemIdentifier is { } expected && system != expected)
            return $"it was written by the cluster {system}, not {expected}";
        if (segmentSize != (uint)options.SegmentSize.Bytes)
            return $"it says that segments have {segmentSize} bytes, not {options.SegmentSize.Bytes}";
        if (BinaryPrimitives.ReadUInt32LittleEndian(page[36..]) != WalPageHeader.PageSize)
            return "its pages are not of 8192 bytes";
        SystemIdentifier = system;
        return null;
    }

    private string? CheckTimeline(TimelineId timeline, Lsn address, WalSegmentName segment)
    {
        if (timeline < _lastTimeline)
            return $"it is of timeline {timeline} and follows one of timeline {_lastTimeline}";
        if (timeline > segment.Timeline)
            return $"it is of timeline {timeline}, later than its segment";
        if (timeline != _lastTimeline || timeline != _history.Timeline)
        {
            if (_history.SpanOf(timeline) is not { } span)
                return $"it is of timeline {timeline}, which is no ancestor of timeline {_history.Timeline}";
            if (span.End is { } end && address >= end)
                return $"it is of timeline {timeline}, which was left at {end}";
        }
        _lastTimeline = timeline;
        return null;
    }
}
