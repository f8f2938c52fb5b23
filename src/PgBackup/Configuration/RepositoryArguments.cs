using PgBackup.Codecs;
using PgBackup.Storage.S3;

namespace PgBackup.Configuration;

/// <summary>What a caller says of a repository; what is null comes from the configuration, then from the environment.</summary>
public sealed record RepositoryArguments
{
    /// <summary>A folder, <c>s3://bucket/prefix</c>, or a name of the configuration file.</summary>
    public string? Repository { get; init; }

    /// <summary>What a relative folder is relative to; null: the process's folder.</summary>
    public string? WorkingFolder { get; init; }

    /// <summary>The store's address.</summary>
    public Uri? EndpointUrl { get; init; }

    /// <summary>The store's region.</summary>
    public string? Region { get; init; }

    /// <summary>The profile of the shared credentials and configuration files.</summary>
    public string? ProfileName { get; init; }

    /// <summary>The store's credential.</summary>
    public S3Credential? StorageCredential { get; init; }

    /// <summary>The repository's key.</summary>
    public EncryptionKey? EncryptionKey { get; init; }

    /// <summary>The configuration file; null: the first one that is found where configuration is looked for.</summary>
    public string? ConfigPath { get; init; }
}
