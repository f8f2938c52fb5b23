using PgBackup.Codecs;
using PgBackup.Codecs.Gpg;
using PgBackup.Configuration.Files;
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
    /// <summary>The variable that names the repository.</summary>
    internal const string Variable = "PGBACKUP_REPOSITORY";

    private static readonly Dictionary<string, Setting> s_nothing = [];

    /// <summary>The repository as its user names it.</summary>
    public string Location => Storage.Location;

    /// <summary>Its name in the configuration file; null when it does not stand there.</summary>
    public string? Name { get; init; }

    /// <summary>The configuration file; null when there is none.</summary>
    public string? ConfigPath { get; init; }

    /// <summary>
    /// The PGP key with which wal-g encrypted; such a repository is read, never written. As in wal-g it goes before a libsodium key of the environment; a key that was given or stands in
    /// the configuration file goes before it. Null when there is none.
    /// </summary>
    public GpgSettings? Pgp { get; init; }

    /// <summary>How many deltas may follow a full backup; null when nobody says, then none are taken unasked.</summary>
    public int? DeltaMaxSteps { get; init; }

    /// <summary>On which backup of the newest chain a delta rests.</summary>
    public DeltaOrigin DeltaOrigin { get; init; }

    /// <summary>How the native command works ahead of the server.</summary>
    public WalSettings Wal { get; init; } = new();

    /// <summary>Each value and where it came from.</summary>
    public IReadOnlyList<ConfigurationValue> Values { get; init; } = [];

    /// <summary>Who named the repository.</summary>
    internal string Source { get; init; } = "";

    /// <summary>What the configuration file says of it.</summary>
    internal IReadOnlyDictionary<string, Setting> FileSettings { get; init; } = s_nothing;

    /// <summary>
    /// Takes the repository from the arguments, PGBACKUP_REPOSITORY, the configuration file's default, WALG_FILE_PREFIX or WALG_S3_PREFIX; then each setting from the arguments, what
    /// the configuration file says of this repository, the environment: WALG_COMPRESSION_METHOD, WALG_ZSTD_LEVEL, WALG_DELTA_MAX_STEPS, WALG_DELTA_ORIGIN,
    /// TOTAL_BG_UPLOADED_LIMIT, WALG_DOWNLOAD_CONCURRENCY, WALG_PREFETCH_DIR, WALG_LIBSODIUM_…, and for a bucket what
    /// <see cref="S3SettingsReader"/> names.
    /// Throws <c>RepositoryNotGiven</c>, <c>RepositoryAmbiguous</c>, <c>RepositoryNameUnknown</c>, <c>RepositoryLocationInvalid</c>, <c>RepositoryKindNotSupported</c>,
    /// <c>SettingInvalid</c>, what <see cref="EncryptionSettings.Resolve"/> throws, and <c>ConfigurationInvalid</c> and its like.
    /// </summary>
    public static RepositorySettings Resolve(RepositoryArguments arguments) => Resolve(arguments, Environment.GetEnvironmentVariable);

    internal static RepositorySettings Resolve(RepositoryArguments arguments, Func<string, string?> environment, string? machineFolder = null)
    {
        string working = arguments.WorkingFolder ?? Environment.CurrentDirectory;
        ConfigurationFile? file = new ConfigurationPlaces(arguments.ConfigPath, working, machineFolder ?? ConfigurationPlaces.DefaultMachineFolder, environment).Load();
        RepositoryChoice choice = RepositoryChoice.Make(arguments.Repository, file, environment, working);
        IReadOnlyDictionary<string, Setting> said = choice.Configured?.Settings ?? s_nothing;
        var layers = new SettingLayers(said, environment);
        StorageSettings storage = choice.Location.IsS3 ? S3SettingsReader.Read(choice.Location, arguments, layers) : DirectoryOf(choice.Location, arguments);
        EncryptionKey? key = EncryptionSettings.Resolve(arguments.EncryptionKey, WithFile(said, environment));
        var settings = new RepositorySettings(
            storage,
            layers.Take("compression", null, SettingText.Compression, CompressionMethod.Zstd, "WALG_COMPRESSION_METHOD"),
            layers.Take("compressionLevel", null, SettingText.CompressionLevel, null, "WALG_ZSTD_LEVEL"),
            key)
        {
            DeltaMaxSteps = layers.Take("delta.maxSteps", null, setting => (int?)SettingText.Number(setting, 0, 1000), null, "WALG_DELTA_MAX_STEPS"),
            DeltaOrigin = layers.Take("delta.origin", null, SettingText.DeltaOrigin, DeltaOrigin.Latest, "WALG_DELTA_ORIGIN"),
            Wal = new WalSettings
            {
                ReadAhead = layers.Take("wal.readAhead", null, SettingText.FilesAheadOfWalG, WalSettings.DefaultReadAhead, "TOTAL_BG_UPLOADED_LIMIT"),
                Prefetch = layers.Take("wal.prefetch", null, SettingText.FilesAheadOfWalG, WalSettings.DefaultPrefetch, "WALG_DOWNLOAD_CONCURRENCY"),
                SpoolFolder = layers.Take("wal.spool", null, SettingText.SpoolOfWalG, null, "WALG_PREFETCH_DIR"),
            },
        };
        bool isChosen = arguments.EncryptionKey is not null || layers.FileHas("encryption.keyFile");
        GpgSettings? pgp = isChosen ? null : EncryptionSettings.ResolvePgp(environment);
        if (pgp is null)
            NoteKey(layers, arguments, key);
        else
            layers.Note("encryption", "PGP", $"environment {pgp.Source}");
        return settings with
        {
            Pgp = pgp,
            Name = choice.Configured?.Name,
            ConfigPath = file?.Path,
            FileSettings = said,
            Source = choice.Source,
            Values = [new ConfigurationValue("location", storage.Location, said.GetValueOrDefault("location")?.Source ?? choice.Source), .. layers.Values],
        };
    }

    // The file's key goes before the environment's, and what belongs together stays together.
    private static Func<string, string?> WithFile(IReadOnlyDictionary<string, Setting> said, Func<string, string?> environment) =>
        !said.TryGetValue("encryption.keyFile", out Setting? keyFile) ? environment : name => name switch
        {
            "WALG_LIBSODIUM_KEY" => null,
            "WALG_LIBSODIUM_KEY_PATH" => keyFile.Text,
            "WALG_LIBSODIUM_KEY_TRANSFORM" => said.GetValueOrDefault("encryption.keyTransform")?.Text,
            _ => environment(name),
        };

    private static void NoteKey(SettingLayers layers, RepositoryArguments arguments, EncryptionKey? key)
    {
        if (key is null || arguments.EncryptionKey is not null)
        {
            layers.Note("encryption", key is null ? "none" : ConfigurationValue.Hidden, key is null ? ConfigurationValue.DefaultSource : "parameter");
            return;
        }
        if (!layers.FileHas("encryption.keyFile") && layers.Find("encryption.key", null, "WALG_LIBSODIUM_KEY") is { } direct)
            layers.Note("encryption", ConfigurationValue.Hidden, direct.Source);
        else
            layers.Take("encryption.keyFile", null, setting => setting.Text, null, "WALG_LIBSODIUM_KEY_PATH");
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
