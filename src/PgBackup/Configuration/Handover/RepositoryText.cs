using System.Globalization;
using System.Text;
using PgBackup.Codecs;
using PgBackup.Storage.S3;

namespace PgBackup.Configuration.Handover;

/// <summary>The references of a repository as the file of the server's commands has them.</summary>
internal sealed record RepositoryReferences(string? Profile, string? CredentialsFile, string? CustomerKeyFile, string? KeyFile, string? KeyTransform);

/// <summary>Writes a repository as a configuration file.</summary>
internal static class RepositoryText
{
    /// <summary>The first line of what is written here; a file that begins otherwise is somebody's own.</summary>
    public const string Mark = "# Written by PgBackup for the server's archive_command and restore_command. Replaced when they are set again.";

    /// <summary>The file's text.</summary>
    public static string Of(string name, RepositorySettings settings, RepositoryReferences references)
    {
        var text = new StringBuilder().Append(Mark).Append("\nversion: 1\nrepositories:\n  ").Append(name).Append(":\n");
        void Add(string key, string? value, string indent = "    ")
        {
            if (value is not null)
                text.Append(indent).Append(key).Append(": '").Append(value.Replace("'", "''", StringComparison.Ordinal)).Append("'\n");
        }

        Add("location", Location(settings));
        if (settings.Storage is S3Settings s3)
            AddBucket(s3, references, Add, text);
        if (settings.Compression != CompressionMethod.Zstd)
            Add("compression", settings.Compression.ToString().ToLowerInvariant());
        Add("compressionLevel", settings.CompressionLevel?.ToString(CultureInfo.InvariantCulture));
        AddWal(settings.Wal, Add, text);
        if (references.KeyFile is not null)
        {
            text.Append("    encryption:\n");
            Add("keyFile", references.KeyFile, "      ");
            Add("keyTransform", references.KeyTransform, "      ");
        }
        return text.ToString();
    }

    private static void AddWal(WalSettings wal, Action<string, string?, string> add, StringBuilder text)
    {
        if (wal == new WalSettings())
            return;
        text.Append("    wal:\n");
        if (wal.ReadAhead != WalSettings.DefaultReadAhead)
            add("readAhead", wal.ReadAhead.ToString(CultureInfo.InvariantCulture), "      ");
        if (wal.Prefetch != WalSettings.DefaultPrefetch)
            add("prefetch", wal.Prefetch.ToString(CultureInfo.InvariantCulture), "      ");
        add("spool", wal.SpoolFolder, "      ");
    }

    private static void AddBucket(S3Settings s3, RepositoryReferences references, Action<string, string?, string> write, StringBuilder text)
    {
        void Add(string key, string? value) => write(key, value, "    ");
        Add("endpointUrl", s3.EndpointUrl?.OriginalString);
        Add("region", s3.Region);
        Add("forcePathStyle", s3.ForcePathStyle is { } force ? force ? "true" : "false" : null);
        Add("profile", references.Profile);
        Add("credentialsFile", references.CredentialsFile);
        Add("storageClass", s3.StorageClass);
        Add("serverSideEncryption", s3.ServerSideEncryption switch
        {
            S3ServerSideEncryption.BucketDefault => null,
            S3ServerSideEncryption.Kms => "aws:kms",
            _ => "AES256",
        });
        Add("kmsKeyId", s3.KmsKeyId);
        Add("customerKeyFile", references.CustomerKeyFile);
        if (s3.RetentionPeriod is { } period)
        {
            text.Append(CultureInfo.InvariantCulture, $"    retention:\n      mode: {(s3.RetentionMode == S3RetentionMode.Compliance ? "compliance" : "governance")}\n")
                .Append(CultureInfo.InvariantCulture, $"      period: {(long)period.TotalSeconds}s\n");
        }
        Add("caCertificateFile", s3.CaCertificateFile);
        Add("proxyUrl", s3.ProxyUrl?.OriginalString);
        if (s3.PartSize != S3Settings.DefaultPartSize)
            Add("partSize", s3.PartSize.ToString(CultureInfo.InvariantCulture));
        if (s3.MaxRetries != S3Settings.DefaultMaxRetries)
            Add("maxRetries", s3.MaxRetries.ToString(CultureInfo.InvariantCulture));
        Add("concurrentRequests", s3.ConcurrentRequests == new S3Settings { Bucket = s3.Bucket }.ConcurrentRequests ? null : s3.ConcurrentRequests.ToString(CultureInfo.InvariantCulture));
    }

    // A prefix is read as part of a URL: what has a meaning there is escaped.
    private static string Location(RepositorySettings settings) => settings.Storage is S3Settings s3
        ? $"s3://{s3.Bucket}{(s3.Prefix.Length == 0 ? "" : "/")}{s3.Prefix.Replace("%", "%25", StringComparison.Ordinal)}"
        : settings.Location;
}
