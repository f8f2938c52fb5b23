using PgBackup.Platform;

namespace PgBackup.Backup.Reading;

/// <summary>Something of the data directory that goes into the backup.</summary>
/// <param name="Path">Where it lies.</param>
/// <param name="MemberName">Its name in the backup: relative to the data directory, with a leading slash.</param>
/// <param name="IsDirectory">True for a folder, of which only the header is stored.</param>
/// <param name="Facts">Its size, mode and time when it was listed; a file may have changed since.</param>
internal readonly record struct DataDirectoryEntry(string Path, string MemberName, bool IsDirectory, FileFacts Facts);
