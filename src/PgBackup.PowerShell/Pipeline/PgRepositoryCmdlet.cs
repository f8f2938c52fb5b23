using System.Management.Automation;
using PgBackup.Configuration;
using PgBackup.PowerShell.Parameters;
using PgBackup.Storage.S3;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>A cmdlet that works on a repository.</summary>
public abstract class PgRepositoryCmdlet : AsyncPgCmdlet
{
    /// <summary>The repository: s3://bucket/prefix, a folder, or a name of the configuration file; its default, or WALG_S3_PREFIX or WALG_FILE_PREFIX, when it is not given.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? Repository { get; set; }

    /// <summary>The address of the S3-compatible store.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public Uri? EndpointUrl { get; set; }

    /// <summary>The store's region.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? Region { get; set; }

    /// <summary>The profile of the AWS tools' shared files that holds the store's credential.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? ProfileName { get; set; }

    /// <summary>The store's credential: the access key as the user name, the secret key as the password.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [CredentialTransform]
    public PSCredential? StorageCredential { get; set; }

    /// <summary>The configuration file.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? ConfigPath { get; set; }

    /// <summary>The repository's encryption key: a SecureString, or the path of its file.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [EncryptionKeyTransform]
    public EncryptionKeySource? EncryptionKey { get; set; }

    /// <summary>
    /// The settings of the repository that <see cref="Repository"/> or the environment names; call it from <see cref="AsyncPgCmdlet.Prepare"/>, because
    /// PowerShell resolves the path.
    /// </summary>
    protected RepositorySettings ResolveRepository() => RepositorySettings.Resolve(ArgumentsForRepository());

    /// <summary>The configuration file as a full path; null when none was named. Pipeline's thread only.</summary>
    private protected string? ResolvedConfigPath => ConfigPath is null ? null : ResolveFolder(ConfigPath);

    /// <summary>The session's folder. Pipeline's thread only.</summary>
    private protected string WorkingFolder => SessionState.Path.CurrentFileSystemLocation.ProviderPath;

    /// <summary>What the parameters say of the repository. Pipeline's thread only.</summary>
    private protected RepositoryArguments ArgumentsForRepository() => new()
    {
        // A bare name may be one of the configuration file; anything else but a URL is a path, which PowerShell's drives have a say in.
        Repository = Repository is not null && Repository.AsSpan().ContainsAny('/', '\\', ':') && !Repository.Contains("://", StringComparison.Ordinal) ? ResolveFolder(Repository) : Repository,
        WorkingFolder = WorkingFolder,
        ConfigPath = ResolvedConfigPath,
        EndpointUrl = EndpointUrl,
        Region = Region,
        ProfileName = ProfileName,
        StorageCredential = StorageCredential is null
            ? null
            : new S3Credential(StorageCredential.UserName, new SecretText(StorageCredential.GetNetworkCredential().Password)),
        EncryptionKey = EncryptionKey?.Read(ResolveFolder),
    };

    /// <summary>The full path of something in the file system that need not exist; pipeline's thread only. Throws <c>PathNotInFileSystem</c>.</summary>
    protected string ResolveFolder(string path) => FilePath.Resolve(this, path);
}
