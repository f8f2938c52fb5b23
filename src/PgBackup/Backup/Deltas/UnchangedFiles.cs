using PgBackup.Backup.Reading;
using PgBackup.Platform;

namespace PgBackup.Backup.Deltas;

/// <summary>
/// Tells by its times alone that a file is as its parent has it. Size and modification time are the parent's, and it was written to last before the parent began: then the parent
/// has not read it half-changed, and nobody has set its time back. Of a parent that was taken on another host (a standby, the primary) times tell nothing.
/// </summary>
internal sealed class UnchangedFiles(DateTimeOffset parentStart, bool isOfThisHost)
{
    /// <summary>The coarsest clock that a file system writes times with (FAT's; NFS and ext3 have one second).</summary>
    public static readonly TimeSpan Grain = TimeSpan.FromSeconds(2);

    // Clocks of two hosts differ by more.
    private static readonly TimeSpan s_skew = TimeSpan.FromMinutes(10);

    private readonly DateTimeOffset _before = parentStart - (isOfThisHost ? Grain : s_skew);

    public bool Contains(DataDirectoryEntry entry, ParentFile parent)
    {
        FileFacts facts = entry.Facts;
        return isOfThisHost
            && !OperatingSystem.IsWindows() // It writes the time of an open file when it likes.
            && parent.HasSize
            && facts.Size == parent.Size
            && IsSameTime(facts.Modified, parent.Modified)
            && IsOlder(facts);
    }

    /// <summary>Neither written to nor made since the parent began.</summary>
    public bool IsOlder(FileFacts facts) => facts.Modified.ToDateTimeOffset() < _before && facts.Changed.ToDateTimeOffset() < _before;

    /// <summary>Equal, in the parent's resolution: a tar of the server's knows whole seconds.</summary>
    public static bool IsSameTime(FileTime modified, FileTime parent) =>
        modified.Seconds == parent.Seconds && (modified.Nanoseconds == parent.Nanoseconds || parent.Nanoseconds == 0);
}
