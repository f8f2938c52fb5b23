using System.Globalization;
using System.Text;
using PgBackup.Errors;

namespace PgBackup.Postgres.Files;

/// <summary>One line of a history file: the point where a timeline was left for the next.</summary>
/// <param name="Parent">The timeline that was left.</param>
/// <param name="SwitchPoint">The first LSN that is no longer on it.</param>
/// <param name="Reason">Why, in the server's words.</param>
public sealed record TimelineSwitch(TimelineId Parent, Lsn SwitchPoint, string Reason);

/// <summary>The part of the log that one timeline contributes to a history.</summary>
/// <param name="Timeline">The timeline.</param>
/// <param name="Start">Its first LSN; 0/0 for the oldest.</param>
/// <param name="End">The first LSN after it; null for the newest, which is still being written.</param>
public sealed record TimelineSpan(TimelineId Timeline, Lsn Start, Lsn? End);

/// <summary>
/// How a timeline came to be: its ancestors and the points where they were left. Immutable. (PostgreSQL source: timeline.c
/// "readTimeLineHistory"; documentation, "Timelines".)
/// </summary>
public sealed record TimelineHistory
{
    private TimelineHistory(TimelineId timeline, IReadOnlyList<TimelineSwitch> switches)
    {
        Timeline = timeline;
        Switches = switches;
        var path = new List<TimelineSpan>(switches.Count + 1);
        Lsn start = Lsn.Zero;
        foreach (TimelineSwitch step in switches)
        {
            path.Add(new TimelineSpan(step.Parent, start, step.SwitchPoint));
            start = step.SwitchPoint;
        }
        path.Add(new TimelineSpan(timeline, start, null));
        Path = path;
    }

    /// <summary>The timeline whose history this is.</summary>
    public TimelineId Timeline { get; }

    /// <summary>The lines of the file, oldest first; empty for a timeline without ancestors.</summary>
    public IReadOnlyList<TimelineSwitch> Switches { get; }

    /// <summary>The timelines in the order of the log, oldest first, <see cref="Timeline"/> last.</summary>
    public IReadOnlyList<TimelineSpan> Path { get; }

    /// <summary>The history of a timeline that has no file: the first one of a cluster.</summary>
    public static TimelineHistory WithoutAncestors(TimelineId timeline) => new(timeline, []);

    /// <summary>The history with the given switches; throws <see cref="ArgumentException"/> when their order is impossible.</summary>
    public static TimelineHistory Of(TimelineId timeline, IReadOnlyList<TimelineSwitch> switches) =>
        FindFault(timeline, switches) is { } fault ? throw new ArgumentException(fault, nameof(switches)) : new TimelineHistory(timeline, [.. switches]);

    /// <summary>Reads the text of a history file. Empty lines and lines that begin with # are skipped.</summary>
    /// <exception cref="PgBackupException">TimelineHistoryInvalid.</exception>
    public static TimelineHistory Parse(TimelineId timeline, string text)
    {
        var switches = new List<TimelineSwitch>();
        // By '\n' alone: other characters that end lines in Unicode may stand in a restore point's name.
        foreach (Range range in text.AsSpan().Split('\n'))
        {
            ReadOnlySpan<char> line = text.AsSpan(range).Trim();
            if (line.IsEmpty || line[0] == '#')
                continue;
            switches.Add(ParseLine(line) ?? throw PgErrors.TimelineHistoryInvalid(timeline, $"the line '{line}' is not a timeline and an LSN"));
        }
        return FindFault(timeline, switches) is { } fault
            ? throw PgErrors.TimelineHistoryInvalid(timeline, fault)
            : new TimelineHistory(timeline, switches);
    }

    /// <summary>The text of the history file, one line a switch, as the server writes it.</summary>
    public string Format()
    {
        var text = new StringBuilder();
        foreach (TimelineSwitch step in Switches)
            text.Append(CultureInfo.InvariantCulture, $"{step.Parent}\t{step.SwitchPoint}\t{step.Reason}\n");
        return text.ToString();
    }

    /// <summary>The timeline that wrote the byte at <paramref name="lsn"/>; a switch point belongs to the new one.</summary>
    public TimelineId TimelineAt(Lsn lsn)
    {
        foreach (TimelineSpan span in Path)
        {
            if (span.End is not { } end || lsn < end)
                return span.Timeline;
        }
        return Timeline;
    }

    /// <summary>True for the timeline itself and its ancestors.</summary>
    public bool Contains(TimelineId timeline) => SpanOf(timeline) is not null;

    /// <summary>The part that a timeline contributes; null when it is no ancestor.</summary>
    public TimelineSpan? SpanOf(TimelineId timeline)
    {
        foreach (TimelineSpan span in Path)
        {
            if (span.Timeline == timeline)
                return span;
        }
        return null;
    }

    /// <summary>The LSN at which this history left an ancestor; null for the timeline itself and for timelines that are no ancestors.</summary>
    public Lsn? SwitchPointOf(TimelineId timeline) => SpanOf(timeline)?.End;

    /// <summary>
    /// True when <paramref name="lsn"/>, reached on <paramref name="timeline"/>, lies on this history: the timeline is an ancestor and was
    /// left at or after that LSN, or is the history's own.
    /// </summary>
    public bool Includes(TimelineId timeline, Lsn lsn) => SpanOf(timeline) is { } span && (span.End is not { } end || lsn <= end);

    /// <summary>
    /// The name under which recovery along this history looks for a segment: that of the newest timeline which had begun by its end, so that
    /// a segment with a switch point is taken from the new timeline (xlogrecovery.c, "XLogFileReadAnyTLI").
    /// </summary>
    public WalSegmentName SegmentFor(ulong segmentNumber, WalSegmentSize size)
    {
        for (int i = Path.Count - 1; i > 0; i--)
        {
            if (size.SegmentNumberOf(Path[i].Start) <= segmentNumber)
                return WalSegmentName.Of(Path[i].Timeline, segmentNumber, size);
        }
        return WalSegmentName.Of(Path[0].Timeline, segmentNumber, size);
    }

    /// <summary>Two histories are equal when timeline and switches are.</summary>
    public bool Equals(TimelineHistory? other) => other is not null && Timeline == other.Timeline && Switches.SequenceEqual(other.Switches);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Timeline, Switches.Count);

    private static TimelineSwitch? ParseLine(ReadOnlySpan<char> line)
    {
        int first = line.IndexOfAny(' ', '\t');
        if (first < 0 || !uint.TryParse(line[..first], NumberStyles.None, CultureInfo.InvariantCulture, out uint parent) || parent == 0)
            return null;
        ReadOnlySpan<char> rest = line[first..].TrimStart();
        int second = rest.IndexOfAny(' ', '\t');
        ReadOnlySpan<char> position = second < 0 ? rest : rest[..second];
        if (!Lsn.TryParse(position, CultureInfo.InvariantCulture, out Lsn lsn))
            return null;
        return new TimelineSwitch(new TimelineId(parent), lsn, second < 0 ? "" : rest[second..].TrimStart().ToString());
    }

    private static string? FindFault(TimelineId timeline, IReadOnlyList<TimelineSwitch> switches)
    {
        TimelineId last = default;
        Lsn lastPoint = Lsn.Zero;
        foreach (TimelineSwitch step in switches)
        {
            if (step.Parent <= last)
                return $"timeline {step.Parent} follows timeline {last}";
            if (step.SwitchPoint < lastPoint)
                return $"timeline {step.Parent} was left at {step.SwitchPoint}, before it began";
            last = step.Parent;
            lastPoint = step.SwitchPoint;
        }
        return last >= timeline ? $"timeline {last} cannot be an ancestor" : null;
    }
}
