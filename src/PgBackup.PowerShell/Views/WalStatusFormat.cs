using System.Globalization;

namespace PgBackup.PowerShell.Views;

/// <summary>The lines of the view of <see cref="WalArchiveStatus"/>: a value, and what makes it understood.</summary>
public static class WalStatusFormat
{
    // The longest label, " : ", and the list's own margin.
    private const int Taken = 20;

    /// <summary>Sentences, each a point of a list.</summary>
    public static string Sentences(IReadOnlyList<string> sentences, int width) =>
        string.Join('\n', sentences.Select(s => "- " + Format.Wrap(s, width, Taken + 2).Replace("\n", "\n  ", StringComparison.Ordinal)));

    /// <summary>How WAL leaves the server, and the setting that says so.</summary>
    public static string Method(WalArchiveStatus status) => status.Method switch
    {
        WalArchiveMethod.Command => "archive_command",
        WalArchiveMethod.Library => $"archive_library ({status.ArchiveLibrary})",
        WalArchiveMethod.Streaming => "streaming; archive_mode is off",
        _ => $"none; archive_mode is {status.ArchiveMode}{(status.IsStandby ? " (a standby)" : "")}",
    };

    /// <summary>The file and how long ago.</summary>
    public static string LastArchived(WalArchiveStatus status) =>
        status.LastArchivedWal is null ? "" : $"{status.LastArchivedWal} ({Format.Duration(status.LastArchivedAge)} ago)";

    /// <summary>How many attempts failed, the last of them.</summary>
    public static string Failed(WalArchiveStatus status) =>
        status.LastFailedWal is null ? Number(status.FailedCount) : $"{Number(status.FailedCount)}, the last at {Format.Time(status.LastFailedTime)} for\n{status.LastFailedWal}";

    /// <summary>How many files wait, since when, and whether they become more.</summary>
    public static string Ready(WalArchiveStatus status) => status.ReadyCount switch
    {
        null => "unknown",
        0 => "0",
        { } count => $"{Number(count)}, the oldest since {Format.Time(status.OldestReadyTime)}"
            + (status.BacklogGrowth is { Bytes: not 0 } growth ? $"\n{(growth.Bytes > 0 ? "growing" : "shrinking")} by {new ByteSize(Math.Abs(growth.Bytes))} a second" : ""),
    };

    /// <summary>The newest segment, whether it was read, how far behind it is.</summary>
    public static string Newest(WalArchiveStatus status) => status.NewestSegment is not { } newest ? ""
        : $"{newest} ({(status.IsNewestReadable == true ? "read" : "cannot be used")}; {status.Lag} behind)";

    /// <summary>What is free where pg_wal lies, and for how long.</summary>
    public static string Space(WalArchiveStatus status) =>
        (status.FreeSpace is { } free ? $"{free}" : "unknown")
        + (status.WalSize is { } size ? $" (pg_wal has {size})" : "")
        + (status.TimeToFull is { } time ? $", full in {Format.Duration(time)}" : "");

    /// <summary>A line for each slot.</summary>
    public static string Slots(WalArchiveStatus status) => string.Join('\n', status.Slots.Select(s =>
        $"{s.Name}: {(s.IsLost ? "lost" : s.IsActive ? "active" : "inactive")}{(s.Lag is { } lag ? $", {lag} behind" : "")}"));

    /// <summary>The probe's segment, and how long it took.</summary>
    public static string Probe(WalArchiveStatus status) => status.ProbeSegment is not { } segment ? ""
        : status.ProbeDuration is { } duration ? $"{segment} (in {Format.Duration(duration)})" : $"{segment} (did not arrive)";

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
