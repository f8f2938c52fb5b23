namespace PgBackup.Platform;

/// <summary>Moves files so that they appear whole, also to another file system.</summary>
internal static class FileMove
{
    private const int CrossDevice = 18; // EXDEV, on Linux and macOS

    /// <summary>
    /// Moves a file over whatever has the name; nothing is synced. Between file systems it is copied to <paramref name="temporary"/> beside the new name first. Throws <see cref="IOException"/>.
    /// </summary>
    public static void Over(string path, string name, string temporary)
    {
        if (OperatingSystem.IsWindows())
        {
            File.Move(path, name, overwrite: true);
            return;
        }
        try
        {
            Posix.Rename(path, name);
        }
        catch (IOException error) when (error.HResult == CrossDevice)
        {
            try
            {
                File.Copy(path, temporary, overwrite: true);
                Posix.Rename(temporary, name);
            }
            catch
            {
                File.Delete(temporary);
                throw;
            }
            File.Delete(path);
        }
    }
}
