using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace PgBackup;

/// <summary>
/// The 24 upper-case hexadecimal digits that name a WAL segment: timeline, log id, segment in the log id
/// (PostgreSQL source: <c>XLogFileName</c> in xlog_internal.h).
/// </summary>
public readonly record struct WalSegmentName : IComparable<WalSegmentName>
{
    /// <summary>The number of digits.</summary>
    public const int Length = 24;

    /// <summary>The name out of its three numbers, whatever the segment size.</summary>
    internal WalSegmentName(TimelineId timeline, uint logId, uint segment)
    {
        Timeline = timeline;
        LogId = logId;
        Segment = segment;
    }

    /// <summary>The timeline on which the segment was written.</summary>
    public TimelineId Timeline { get; }

    /// <summary>The upper 32 bits of the segment's LSNs.</summary>
    public uint LogId { get; }

    /// <summary>The segment's number within its log id.</summary>
    public uint Segment { get; }

    /// <summary>The name of segment number <paramref name="segmentNumber"/> on <paramref name="timeline"/>.</summary>
    public static WalSegmentName Of(TimelineId timeline, ulong segmentNumber, WalSegmentSize size)
    {
        ulong perLogId = size.SegmentsPerLogId;
        return new WalSegmentName(timeline, checked((uint)(segmentNumber / perLogId)), (uint)(segmentNumber % perLogId));
    }

    /// <summary>The name of the segment that holds the byte at <paramref name="lsn"/>.</summary>
    public static WalSegmentName Containing(TimelineId timeline, Lsn lsn, WalSegmentSize size) =>
        Of(timeline, size.SegmentNumberOf(lsn), size);

    /// <summary>The running number of the segment, the same on every timeline.</summary>
    public ulong NumberFor(WalSegmentSize size) => (LogId * size.SegmentsPerLogId) + Segment;

    /// <summary>The LSN of the segment's first byte.</summary>
    public Lsn StartFor(WalSegmentSize size) => size.StartOf(NumberFor(size));

    /// <summary>The next segment on the same timeline.</summary>
    public WalSegmentName NextFor(WalSegmentSize size) => Of(Timeline, NumberFor(size) + 1, size);

    /// <summary>The same segment number on another timeline.</summary>
    public WalSegmentName On(TimelineId timeline) => new(timeline, LogId, Segment);

    /// <inheritdoc/>
    public int CompareTo(WalSegmentName other) =>
        (Timeline.Value, LogId, Segment).CompareTo((other.Timeline.Value, other.LogId, other.Segment));

    /// <summary>The 24 digits.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Timeline.Value:X8}{LogId:X8}{Segment:X8}");

    /// <summary>Reads exactly 24 upper-case hexadecimal digits.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out WalSegmentName name) => TryParse(text.AsSpan(), out name);

    /// <summary>Reads exactly 24 upper-case hexadecimal digits; timeline 0 does not exist.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out WalSegmentName name)
    {
        name = default;
        if (text.Length != Length || text.ContainsAnyExcept("0123456789ABCDEF"))
            return false;
        uint timeline = uint.Parse(text[..8], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        if (timeline == 0)
            return false;
        name = new WalSegmentName(
            new TimelineId(timeline),
            uint.Parse(text[8..16], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
            uint.Parse(text[16..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
        return true;
    }

    /// <summary>Reads exactly 24 upper-case hexadecimal digits; throws <see cref="FormatException"/> for anything else.</summary>
    public static WalSegmentName Parse(string text) =>
        TryParse(text, out WalSegmentName name)
            ? name
            : throw new FormatException($"'{text}' is not the name of a WAL segment: 24 upper-case hexadecimal digits.");
}
