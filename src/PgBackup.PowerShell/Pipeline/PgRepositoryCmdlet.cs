using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.Errors;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>A cmdlet that works on a repository.</summary>
public abstract class PgRepositoryCmdlet : AsyncPgCmdlet
{
    /// <summary>The repository: a folder. Taken from WALG_FILE_PREFIX when it is not given.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? Repository { get; set; }

    /// <summary>
    /// The settings of the repository that <see cref="Repository"/> or the environment names; call it from <see cref="AsyncPgCmdlet.Prepare"/>, because
    /// PowerShell resolves the path.
    /// </summary>
    protected RepositorySettings ResolveRepository() =>
        RepositorySettings.Resolve(new RepositoryArguments
        {
            Repository = Repository is null || Repository.Contains("://", StringComparison.Ordinal) ? Repository : ResolveFolder(Repository),
        });

    /// <summary>The full path of something in the file system that need not exist; pipeline's thread only. Throws <c>PathNotInFileSystem</c>.</summary>
    protected string ResolveFolder(string path)
    {
        string full;
        ProviderInfo provider;
        try
        {
            full = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path, out provider, out _);
        }
        catch (Exception error) when (error is System.Management.Automation.DriveNotFoundException or ProviderNotFoundException or PSArgumentException)
        {
            throw PgErrors.PathNotInFileSystem(path, error);
        }
        return provider.Name == "FileSystem" ? full : throw PgErrors.PathNotInFileSystem(path, null);
    }
}
