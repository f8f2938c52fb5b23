using System.Management.Automation;
using PgBackup.Errors;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>Paths as PowerShell's users write them: relative to its location, on its drives.</summary>
internal static class FilePath
{
    /// <summary>The full path of something in the file system that need not exist; pipeline's thread only. Throws <c>PathNotInFileSystem</c>.</summary>
    public static string Resolve(PSCmdlet cmdlet, string path)
    {
        string full;
        ProviderInfo provider;
        try
        {
            full = cmdlet.SessionState.Path.GetUnresolvedProviderPathFromPSPath(path, out provider, out _);
        }
        catch (Exception error) when (error is System.Management.Automation.DriveNotFoundException or ProviderNotFoundException or PSArgumentException)
        {
            throw PgErrors.PathNotInFileSystem(path, error);
        }
        return provider.Name == "FileSystem" ? full : throw PgErrors.PathNotInFileSystem(path, null);
    }
}
