using System.Globalization;
using PgBackup.Platform;

namespace PgBackup.Wal.Spool;

/// <summary>What changes when a file's content does, or when another file takes its name.</summary>
/// <param name="Text">Size, times and number of the file.</param>
internal readonly record struct FileStamp(string Text)
{
    /// <summary>The stamp of a file; null when there is none.</summary>
    public static FileStamp? Of(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            var file = new FileInfo(path);
            return file.Exists ? new FileStamp(string.Create(CultureInfo.InvariantCulture, $"{file.Length}-{file.LastWriteTimeUtc.Ticks}-{file.CreationTimeUtc.Ticks}")) : null;
        }
        return Posix.FactsOf(path, followLinks: true) is { IsRegular: true } facts
            ? new FileStamp(string.Create(
                CultureInfo.InvariantCulture,
                $"{facts.Size}-{facts.Modified.Seconds}.{facts.Modified.Nanoseconds}-{facts.Changed.Seconds}.{facts.Changed.Nanoseconds}-{facts.Identity.Device}.{facts.Identity.Inode}"))
            : null;
    }
}
