using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;

namespace PgBackup;

/// <summary>The kinds of file that PostgreSQL hands to <c>archive_command</c> and asks of <c>restore_command</c>.</summary>
public enum WalFileKind
{
    /// <summary>A whole segment: 24 digits.</summary>
    Segment,

    /// <summary>A segment cut short by a promotion: <c>….partial</c>.</summary>
    Partial,

    /// <summary>A timeline's history: <c>00000002.history</c>.</summary>
    History,

    /// <summary>The note that a base backup leaves in the log: <c>….00000028.backup</c>.</summary>
    BackupHistory,
}

/// <summary>The name of a file of the WAL archive, its kind and what the name says (PostgreSQL source: <c>xlog_internal.h</c>).</summary>
public sealed partial record WalFileName
{
    private WalFileName(string name, WalFileKind kind, TimelineId timeline, WalSegmentName? segment)
    {
        Name = name;
        Kind = kind;
        Timeline = timeline;
        Segment = segment;
    }

    /// <summary>The name as PostgreSQL writes it, without a folder.</summary>
    public string Name { get; }

    /// <summary>What kind of file the name belongs to.</summary>
    public WalFileKind Kind { get; }

    /// <summary>The timeline in the name.</summary>
    public TimelineId Timeline { get; }

    /// <summary>The segment in the name; null for a history file.</summary>
    public WalSegmentName? Segment { get; }

    /// <summary>Reads a file name; false for a name that no archive holds (a path, lower case, an extension of a codec).</summary>
    public static bool TryParse(string? name, [NotNullWhen(true)] out WalFileName? result)
    {
        result = null;
        Match match = Pattern().Match(name ?? "");
        if (!match.Success)
            return false;
        if (match.Groups["history"].Success)
        {
            var timeline = new TimelineId(uint.Parse(match.Groups["history"].ValueSpan, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
            if (timeline.Value == 0)
                return false;
            result = new WalFileName(name!, WalFileKind.History, timeline, null);
            return true;
        }
        if (!WalSegmentName.TryParse(match.Groups["segment"].ValueSpan, out WalSegmentName segment))
            return false;
        WalFileKind kind = match.Groups["backup"].Success ? WalFileKind.BackupHistory
            : match.Groups["partial"].Success ? WalFileKind.Partial
            : WalFileKind.Segment;
        result = new WalFileName(name!, kind, segment.Timeline, segment);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    [GeneratedRegex(@"\A(?:(?<history>[0-9A-F]{8})\.history|(?<segment>[0-9A-F]{24})(?:(?<partial>\.partial)|(?<backup>\.[0-9A-F]{8}\.backup))?)\z", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
