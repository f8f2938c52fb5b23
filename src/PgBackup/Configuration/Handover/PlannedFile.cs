using System.Text;
using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Configuration.Handover;

/// <summary>A file to be written for a server's account.</summary>
/// <param name="Path">The file.</param>
/// <param name="Text">Its content; not shown.</param>
/// <param name="IsSecret">Whether only that account may read it.</param>
public sealed record PlannedFile(string Path, string Text, bool IsSecret)
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Public = Private | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode Folder = (UnixFileMode)0b111_101_101;

    /// <summary>The path alone: the text may be a secret.</summary>
    public override string ToString() => Path;

    /// <summary>Whether the file is there with this content.</summary>
    internal bool IsThere => File.Exists(Path) && new FileInfo(Path).Length == Encoding.UTF8.GetByteCount(Text) && File.ReadAllText(Path) == Text;

    /// <summary>
    /// Writes it beside its place, syncs it and puts it there in one step. A secret belongs to the account alone; what root writes else stays root's, so that a server that is taken over
    /// cannot lead root's commands astray. Throws <c>CommandFileNotWritten</c>.
    /// </summary>
    internal void Write(CommandAccount account)
    {
        string folder = System.IO.Path.GetDirectoryName(Path)!;
        string temporary = System.IO.Path.Combine(folder, $".{System.IO.Path.GetFileName(Path)}.{Guid.NewGuid():N}");
        try
        {
            MakeFolder(folder, account);
            try
            {
                var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None };
                if (!OperatingSystem.IsWindows())
                    options.UnixCreateMode = Private;
                using (var stream = new FileStream(temporary, options))
                {
                    stream.Write(Encoding.UTF8.GetBytes(Text));
                    if (!OperatingSystem.IsWindows())
                    {
                        if (Posix.IsRoot && IsSecret)
                            Posix.ChangeOwner(stream.SafeFileHandle, account.User, account.Group);
                        File.SetUnixFileMode(stream.SafeFileHandle, IsSecret ? Private : Public);
                    }
                    stream.Flush(flushToDisk: true);
                }
                File.Move(temporary, Path, overwrite: true);
            }
            catch
            {
                File.Delete(temporary);
                throw;
            }
            Posix.SyncDirectory(folder);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.CommandFileNotWritten(Path, error);
        }
    }

    private static void MakeFolder(string folder, CommandAccount account)
    {
        if (Directory.Exists(folder))
            return;
        MakeFolder(System.IO.Path.GetDirectoryName(folder)!, account);
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
            return;
        }
        Directory.CreateDirectory(folder, Folder);
        File.SetUnixFileMode(folder, Folder);
        // Within the account's home, what is made is the account's.
        if (Posix.IsRoot && account.User != 0 && account.Home.Length > 1 && folder.StartsWith(account.Home + "/", StringComparison.Ordinal))
            Posix.ChangeOwner(folder, account.User, account.Group);
    }
}
