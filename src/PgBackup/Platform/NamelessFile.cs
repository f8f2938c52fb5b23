using PgBackup.Errors;

namespace PgBackup.Platform;

/// <summary>A temporary file that nobody else can open and that is gone with the process, whatever ends that.</summary>
internal static class NamelessFile
{
    /// <summary>Makes one in the folder for temporary files. Throws <c>WalSpoolFailed</c>.</summary>
    public static FileStream Open()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.None | FileShare.Delete, Options = FileOptions.DeleteOnClose, BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            var file = new FileStream(path, options);
            if (!OperatingSystem.IsWindows())
                File.Delete(path);
            return file;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.WalSpoolFailed(Path.GetTempPath(), error);
        }
    }
}
