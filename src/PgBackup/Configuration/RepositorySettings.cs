using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Storage;

namespace PgBackup.Configuration;

/// <summary>Where the repository is and how objects are written to it.</summary>
/// <param name="Storage">Where it is.</param>
/// <param name="Compression">How new objects are compressed; zstd unless told.</param>
/// <param name="CompressionLevel">The codec's level; null for the codec's default.</param>
/// <param name="Key">The key; null when nothing is encrypted.</param>
public sealed record RepositorySettings(StorageSettings Storage, CompressionMethod Compression, int? CompressionLevel, EncryptionKey? Key)
{
    private static readonly Dictionary<string, Setting> s_nothing = [];

    /// <summary>The repository as its user names it.</summary>
    public string Location => Storage.Location;

    /// <summary>Each value and where it came from.</summary>
    public IReadOnlyList<ConfigurationValue> Values { get; init; } = [];

    /// <summary>
    /// Takes each setting from the arguments, else from the environment: WALG_FILE_PREFIX or WALG_S3_PREFIX, WALG_COMPRESSION_METHOD, WALG_ZSTD_LEVEL, WALG_LIBSODIUM_…,
    /// and for a bucket what <see cref="S3SettingsReader"/> names.
    /// Throws <c>RepositoryNotGiven</c>, <c>RepositoryAmbiguous</c>, <c>RepositoryLocationInvalid</c>, <c>RepositoryKindNotSupported</c>, <c>SettingInvalid</c>, and what
    /// <see cref="EncryptionSettings.Resolve"/> throws.
    /// </summary>
    public static RepositorySettings Resolve(RepositoryArguments arguments) => Resolve(arguments, Environment.GetEnvironmentVariable);

    internal static RepositorySettings Resolve(RepositoryArguments arguments, Func<string, string?> environment)
    {
        Setting named = arguments.Repository is { } given ? Setting.Parameter("Repository", given) : FromEnvironment(environment) ?? throw PgErrors.RepositoryNotGiven();
        RepositoryLocation location = RepositoryLocation.Parse(named, arguments.WorkingFolder ?? Environment.CurrentDirectory);
        var layers = new SettingLayers(s_nothing, environment);
        StorageSettings storage = location.IsS3 ? S3SettingsReader.Read(location, arguments, layers) : DirectoryOf(location, arguments);
        var settings = new RepositorySettings(
            storage,
            layers.Take("compression", null, SettingText.Compression, CompressionMethod.Zstd, "WALG_COMPRESSION_METHOD"),
            layers.Take("compressionLevel", null, SettingText.CompressionLevel, null, "WALG_ZSTD_LEVEL"),
            EncryptionSettings.Resolve(arguments.EncryptionKey, environment));
        return settings with { Values = [new ConfigurationValue("location", storage.Location, named.Source), .. layers.Values] };
    }

    private static Setting? FromEnvironment(Func<string, string?> environment)
    {
        Setting? folder = Setting.Variable(environment, "WALG_FILE_PREFIX");
        Setting? bucket = Setting.Variable(environment, "WALG_S3_PREFIX") ?? Setting.Variable(environment, "WALE_S3_PREFIX");
        return folder is not null && bucket is not null ? throw PgErrors.RepositoryAmbiguous(folder, bucket) : folder ?? bucket;
    }

    // What only a bucket has is no word to pass over in silence.
    private static DirectorySettings DirectoryOf(RepositoryLocation location, RepositoryArguments arguments)
    {
        string? parameter = arguments switch
        {
            { EndpointUrl: not null } => "EndpointUrl",
            { Region: not null } => "Region",
            { ProfileName: not null } => "ProfileName",
            { StorageCredential: not null } => "StorageCredential",
            _ => null,
        };
        return parameter is null
            ? new DirectorySettings(location.Folder!)
            : throw PgErrors.SettingsContradict(Setting.Parameter(parameter, ""), $"the repository '{location.Folder}' is a folder.", "Leave it out, or name a repository as s3://bucket/prefix.");
    }
}
