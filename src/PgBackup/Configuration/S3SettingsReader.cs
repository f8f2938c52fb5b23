using PgBackup.Errors;
using PgBackup.Storage.S3;

namespace PgBackup.Configuration;

/// <summary>
/// The settings of a bucket. The variables are wal-g's and the AWS tools' (wal-g: docs/STORAGES.md, pkg/storages/s3/configure.go); wal-g looks for its own
/// under S3_, WALG_S3_ and WALE_S3_.
/// </summary>
internal static class S3SettingsReader
{
    private const int DefaultConcurrency = 8;

    /// <summary>Reads them. Throws <c>SettingInvalid</c>, <c>KeyFileUnreadable</c>.</summary>
    public static S3Settings Read(RepositoryLocation location, RepositoryArguments arguments, SettingLayers layers)
    {
        var settings = new S3Settings
        {
            Bucket = location.Bucket!,
            Prefix = location.Prefix,
            EndpointUrl = layers.Take("endpointUrl", Given("EndpointUrl", arguments.EndpointUrl?.OriginalString), SettingText.Address, null,
                "AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
            Region = layers.Take("region", Given("Region", arguments.Region), SettingText.Word, null, "AWS_REGION", "AWS_DEFAULT_REGION"),
            ForcePathStyle = layers.Take("forcePathStyle", null, setting => (bool?)SettingText.Truth(setting), null, "AWS_S3_FORCE_PATH_STYLE"),
        };
        settings = WithCredential(settings, arguments, layers);
        settings = WithStoreEncryption(settings, layers);
        settings = WithRetention(settings, layers);
        return settings with
        {
            StorageClass = layers.Take("storageClass", null, SettingText.Word, null, Named("STORAGE_CLASS")),
            CaCertificateFile = layers.Take("caCertificateFile", null, FullPath, null, [.. Named("CA_CERT_FILE"), "AWS_CA_BUNDLE"]),
            ProxyUrl = layers.Take("proxyUrl", null, SettingText.Proxy, null),
            PartSize = layers.Take("partSize", null, SettingText.PartSize, S3Settings.DefaultPartSize, Named("MAX_PART_SIZE")),
            MaxRetries = layers.Take("maxRetries", null, SettingText.Retries, S3Settings.DefaultMaxRetries, Named("MAX_RETRIES")),
            ConcurrentRequests = layers.Take("concurrentRequests", null, SettingText.Concurrency, DefaultConcurrency, "WALG_UPLOAD_CONCURRENCY"),
        };
    }

    // What is said in one place stays together: a profile of the file is not used with a key of the environment.
    private static S3Settings WithCredential(S3Settings settings, RepositoryArguments arguments, SettingLayers layers)
    {
        Setting? profile = Given("ProfileName", arguments.ProfileName);
        if (arguments.StorageCredential is { } given)
        {
            if (profile is not null)
                throw PgErrors.SettingsContradict(profile, "-StorageCredential is given as well.", "Give one of the two.");
            layers.Note("storageCredential", given.AccessKey, "parameter");
            return settings with { Credential = given };
        }
        bool fileSays = layers.FileHas("profile", "credentialsFile");
        if (profile is null && !fileSays && FromEnvironment(layers) is { } found)
            return settings with { Credential = found };
        settings = settings with
        {
            ProfileName = fileSays ? layers.Take("profile", profile, SettingText.Line, "default") : layers.Take("profile", profile, SettingText.Line, null, "AWS_PROFILE"),
            CredentialsFile = layers.Take("credentialsFile", null, FullPath, null, "AWS_SHARED_CREDENTIALS_FILE"),
        };
        return settings;
    }

    // The names that wal-g takes; the AWS tools know the first of each alone.
    private static S3Credential? FromEnvironment(SettingLayers layers)
    {
        Setting? access = layers.Find("accessKey", null, "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY");
        Setting? secret = layers.Find("secretKey", null, "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY");
        if (access is null && secret is null)
            return null;
        if (access is null || secret is null)
            throw PgErrors.SettingsContradict((access ?? secret)!, "the other half of the credential is missing.", "Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither.");
        Setting? token = layers.Find("sessionToken", null, "AWS_SESSION_TOKEN");
        layers.Note("storageCredential", access.Text.Trim(), access.Source);
        return new S3Credential(access.Text.Trim(), new SecretText(secret.Text.Trim()), token is null ? null : new SecretText(token.Text.Trim()));
    }

    private static S3Settings WithStoreEncryption(S3Settings settings, SettingLayers layers)
    {
        bool fileSays = layers.FileHas("serverSideEncryption", "kmsKeyId", "customerKeyFile");
        string[] method = fileSays ? [] : Named("SSE"), key = fileSays ? [] : Named("SSE_KMS_ID"), customer = fileSays ? [] : Named("SSE_C");
        S3ServerSideEncryption encryption = layers.Take("serverSideEncryption", null, SettingText.StoreEncryption, S3ServerSideEncryption.BucketDefault, method);
        Setting? customerKey = layers.Find("customerKeyFile", null, customer);
        if (layers.Find("kmsKeyId", null, key) is { } id && encryption != S3ServerSideEncryption.Kms)
            throw PgErrors.SettingsContradict(id, "the store's encryption is not aws:kms.", "Set WALG_S3_SSE (serverSideEncryption) to aws:kms as well, or leave the key id out.");
        if (customerKey is not null && encryption is not S3ServerSideEncryption.Aes256 && !(fileSays && encryption == S3ServerSideEncryption.BucketDefault))
            throw PgErrors.SettingsContradict(customerKey, "encryption by a key of one's own is AES256.", "Set WALG_S3_SSE (serverSideEncryption) to AES256 as well, or leave the key out.");
        return settings with
        {
            ServerSideEncryption = customerKey is null ? encryption : S3ServerSideEncryption.CustomerKey,
            KmsKeyId = layers.Take("kmsKeyId", null, SettingText.Word, null, key),
            CustomerKey = layers.Take("customerKeyFile", null, setting => SettingText.CustomerKey(fileSays ? Content(setting) : setting), null, customer),
        };
    }

    private static S3Settings WithRetention(S3Settings settings, SettingLayers layers)
    {
        bool fileSays = layers.FileHas("retention.period", "retention.mode");
        return settings with
        {
            RetentionPeriod = fileSays
                ? layers.Take("retention.period", null, setting => (TimeSpan?)SettingText.Span(setting), null)
                : layers.Take("retention.period", null, SettingText.RetentionSeconds, null, Named("RETENTION_PERIOD")),
            RetentionMode = layers.Take("retention.mode", null, SettingText.RetentionMode, S3RetentionMode.Governance, fileSays ? [] : Named("RETENTION_MODE")),
        };
    }

    private static Setting Content(Setting file)
    {
        try
        {
            return new FileInfo(file.Text).Length <= 4096
                ? file with { Text = File.ReadAllText(file.Text) }
                : throw PgErrors.SettingsContradict(file, $"'{file.Text}' is no file of a key.", "Name a file that holds 32 bytes, or their base64.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.KeyFileUnreadable(file.Text, file.Name, error);
        }
    }

    private static string FullPath(Setting setting) => Path.GetFullPath(SettingText.Line(setting));

    private static Setting? Given(string parameter, string? text) => text is null ? null : Setting.Parameter(parameter, text);

    private static string[] Named(string name) => [$"S3_{name}", $"WALG_S3_{name}", $"WALE_S3_{name}"];
}
