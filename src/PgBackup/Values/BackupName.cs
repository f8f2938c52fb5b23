using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace PgBackup;

/// <summary>
/// The name of a base backup in WAL-G's form: <c>base_&lt;segment of the start LSN&gt;</c>, for a delta followed by
/// <c>_D_&lt;start segment of its parent&gt;</c>. WAL-E's names, with eight more digits, are read but never made.
/// </summary>
public sealed partial record BackupName : IComparable<BackupName>
{
    private BackupName(string text, WalSegmentName segment, WalSegmentName? parent)
    {
        Text = text;
        Segment = segment;
        ParentSegment = parent;
    }

    /// <summary>The whole name.</summary>
    public string Text { get; }

    /// <summary>The segment that holds the backup's start LSN.</summary>
    public WalSegmentName Segment { get; }

    /// <summary>The segment that holds the parent's start LSN; null for a full backup.</summary>
    public WalSegmentName? ParentSegment { get; }

    /// <summary>True when the name is that of a delta.</summary>
    public bool IsDelta => ParentSegment is not null;

    /// <summary>The name of a full backup that starts in <paramref name="segment"/>.</summary>
    public static BackupName Full(WalSegmentName segment) => new($"base_{segment}", segment, null);

    /// <summary>The name of a delta that starts in <paramref name="segment"/> on a parent that started in <paramref name="parent"/>.</summary>
    public static BackupName Delta(WalSegmentName segment, WalSegmentName parent) => new($"base_{segment}_D_{parent}", segment, parent);

    /// <summary>Reads a backup's name.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out BackupName? name)
    {
        name = null;
        Match match = Pattern().Match(text ?? "");
        if (!match.Success || !WalSegmentName.TryParse(match.Groups[1].ValueSpan, out WalSegmentName segment))
            return false;
        WalSegmentName? parent = null;
        if (match.Groups[2].Success)
        {
            if (!WalSegmentName.TryParse(match.Groups[2].ValueSpan, out WalSegmentName parsed))
                return false;
            parent = parsed;
        }
        name = new BackupName(text!, segment, parent);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(BackupName? other) => string.CompareOrdinal(Text, other?.Text);

    /// <inheritdoc/>
    public override string ToString() => Text;

    [GeneratedRegex(@"\Abase_([0-9A-F]{24})(?:_D_([0-9A-F]{24}))?(?:_[0-9A-F]{8})?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}
