using PgBackup.Backup.Reading;
using PgBackup.Platform;

namespace PgBackup.Backup.Deltas;

/// <summary>
/// Tells by its times alone that a file is as its parent has it. Size and modification time are the parent's, and it was written to last before the parent began: then the parent
/// has not read it half-changed, and nobody has set its time back.
/// </summary>
internal sealed class UnchangedFiles(DateTimeOffset parentStart)
{
    // The coarsest clock that a file system writes times with (FAT's; NFS and ext3 have one second).
    private static readonly TimeSpan s_grain = TimeSpan.FromSeconds(2);

    private readonly DateTimeOffset _before = parentStart - s_grain;

    public bool Contains(DataDirectoryEntry entry, ParentFile parent)
    {
        if (OperatingSystem.IsWindows()) // Writes the time of an open file when it likes.
            return false;
        FileFacts facts = entry.Facts;
        return parent.HasSize
            && facts.Size == parent.Size
            && IsSameTime(facts.Modified, parent.Modified)
            && facts.Modified.ToDateTimeOffset() < _before
            && facts.Changed.ToDateTimeOffset() < _before;
    }

    /// <summary>Equal, in the parent's resolution: a tar of the server's knows whole seconds.</summary>
    public static bool IsSameTime(FileTime modified, FileTime parent) =>
        modified.Seconds == parent.Seconds && (modified.Nanoseconds == parent.Nanoseconds || parent.Nanoseconds == 0);
}
