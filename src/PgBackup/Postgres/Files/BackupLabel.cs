using System.Globalization;
using PgBackup.Errors;

namespace PgBackup.Postgres.Files;

/// <summary>
/// The file <c>backup_label</c> of a base backup: where recovery has to start (PostgreSQL source: xlogbackup.c "build_backup_content",
/// xlogrecovery.c "read_backup_label"; PostgreSQL 13 to 18).
/// </summary>
public sealed record BackupLabel
{
    /// <summary>The file's name in the data directory.</summary>
    public const string FileName = "backup_label";

    /// <summary>The LSN from which WAL is needed (START WAL LOCATION): the redo point of the backup's checkpoint.</summary>
    public required Lsn StartLsn { get; init; }

    /// <summary>The segment that holds <see cref="StartLsn"/>.</summary>
    public required WalSegmentName StartSegment { get; init; }

    /// <summary>The LSN of the checkpoint's record.</summary>
    public required Lsn CheckpointLsn { get; init; }

    /// <summary>How the backup was taken, as the server writes it: <c>streamed</c>, from old ones also <c>pg_start_backup</c>.</summary>
    public required string Method { get; init; }

    /// <summary>True when the backup was taken from a standby.</summary>
    public required bool FromStandby { get; init; }

    /// <summary>When the backup started, as the server wrote it: in log_timezone, with a zone's abbreviation.</summary>
    public required string StartTime { get; init; }

    /// <summary>The label that was given to pg_backup_start.</summary>
    public required string Label { get; init; }

    /// <summary>The timeline at the start.</summary>
    public required TimelineId StartTimeline { get; init; }

    /// <summary>For an incremental backup of pg_basebackup (PostgreSQL 17): the start of the one before. Such a backup cannot be started as it is.</summary>
    public Lsn? IncrementalFromLsn { get; init; }

    /// <summary>The timeline of <see cref="IncrementalFromLsn"/>.</summary>
    public TimelineId? IncrementalFromTimeline { get; init; }

    /// <summary>Reads the file's text.</summary>
    /// <exception cref="PgBackupException">BackupLabelInvalid.</exception>
    public static BackupLabel Parse(string text)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (Range range in text.AsSpan().Split('\n'))
        {
            ReadOnlySpan<char> raw = text.AsSpan(range).TrimEnd('\r');
            int colon = raw.IndexOf(": ", StringComparison.Ordinal);
            // The first line of a name counts: a label may hold line breaks.
            if (colon > 0)
                fields.TryAdd(raw[..colon].ToString(), raw[(colon + 2)..].ToString());
        }
        string start = Required(fields, "START WAL LOCATION");
        int file = start.IndexOf(" (file ", StringComparison.Ordinal);
        if (file < 0 || !start.EndsWith(')') || !WalSegmentName.TryParse(start.AsSpan(file + 7, start.Length - file - 8), out WalSegmentName segment))
            throw PgErrors.BackupLabelInvalid("the line START WAL LOCATION does not name a segment");
        // Servers before 11 wrote no START TIMELINE; the segment's name has it, too.
        TimelineId timeline = fields.TryGetValue("START TIMELINE", out string? written) ? ParseTimeline("START TIMELINE", written) : segment.Timeline;
        if (timeline != segment.Timeline)
            throw PgErrors.BackupLabelInvalid("the start segment is of another timeline than START TIMELINE says");
        return new BackupLabel
        {
            StartLsn = ParseLsn("START WAL LOCATION", start.AsSpan(0, file)),
            StartSegment = segment,
            CheckpointLsn = ParseLsn("CHECKPOINT LOCATION", Required(fields, "CHECKPOINT LOCATION")),
            Method = fields.GetValueOrDefault("BACKUP METHOD", ""),
            FromStandby = fields.GetValueOrDefault("BACKUP FROM", "") == "standby",
            StartTime = fields.GetValueOrDefault("START TIME", ""),
            Label = fields.GetValueOrDefault("LABEL", ""),
            StartTimeline = timeline,
            IncrementalFromLsn = fields.TryGetValue("INCREMENTAL FROM LSN", out string? from) ? ParseLsn("INCREMENTAL FROM LSN", from) : null,
            IncrementalFromTimeline = fields.TryGetValue("INCREMENTAL FROM TLI", out string? tli) ? ParseTimeline("INCREMENTAL FROM TLI", tli) : null,
        };
    }

    private static string Required(Dictionary<string, string> fields, string name) =>
        fields.TryGetValue(name, out string? value) ? value : throw PgErrors.BackupLabelInvalid($"it has no line {name}");

    private static Lsn ParseLsn(string name, ReadOnlySpan<char> text) =>
        Lsn.TryParse(text, CultureInfo.InvariantCulture, out Lsn lsn) ? lsn : throw PgErrors.BackupLabelInvalid($"the line {name} holds no LSN");

    private static TimelineId ParseTimeline(string name, string text) =>
        uint.TryParse(text.AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out uint value) && value > 0
            ? new TimelineId(value)
            : throw PgErrors.BackupLabelInvalid($"the line {name} holds no timeline");
}
