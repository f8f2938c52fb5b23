using System.Text.RegularExpressions;
using PgBackup.Errors;

namespace PgBackup.Configuration.Files;

/// <summary>The names that the file knows, and how each value is checked.</summary>
internal static partial class ConfigurationKeys
{
    /// <summary>The names at the top.</summary>
    public static readonly string[] Top = ["version", "repositories", "servers", "defaults"];

    /// <summary>The names below <c>defaults</c>.</summary>
    public static readonly string[] Defaults = ["repository", "server"];

    /// <summary>The names of a repository; a dot stands for a map within.</summary>
    public static readonly Dictionary<string, Action<Setting>> Repository = new(StringComparer.Ordinal)
    {
        ["location"] = setting => RepositoryLocation.Parse(setting, "/"),
        ["endpointUrl"] = setting => SettingText.Address(setting),
        ["region"] = setting => SettingText.Word(setting),
        ["profile"] = setting => SettingText.Line(setting),
        ["credentialsFile"] = setting => SettingText.Line(setting),
        ["forcePathStyle"] = setting => SettingText.Truth(setting),
        ["storageClass"] = setting => SettingText.Word(setting),
        ["serverSideEncryption"] = setting => SettingText.StoreEncryption(setting),
        ["kmsKeyId"] = setting => SettingText.Word(setting),
        ["customerKeyFile"] = setting => SettingText.Line(setting),
        ["retention.mode"] = setting => SettingText.RetentionMode(setting),
        ["retention.period"] = setting => SettingText.Span(setting),
        ["caCertificateFile"] = setting => SettingText.Line(setting),
        ["proxyUrl"] = setting => SettingText.Proxy(setting),
        ["partSize"] = setting => SettingText.PartSize(setting),
        ["maxRetries"] = setting => SettingText.Retries(setting),
        ["concurrentRequests"] = setting => SettingText.Concurrency(setting),
        ["compression"] = setting => SettingText.Compression(setting),
        ["compressionLevel"] = setting => SettingText.CompressionLevel(setting),
        ["delta.maxSteps"] = setting => SettingText.Number(setting, 0, 1000),
        ["delta.origin"] = setting => SettingText.DeltaOrigin(setting),
        ["wal.readAhead"] = setting => SettingText.FilesAhead(setting),
        ["wal.prefetch"] = setting => SettingText.FilesAhead(setting),
        ["wal.spool"] = setting => SettingText.Line(setting),
        ["encryption.keyFile"] = setting => SettingText.Line(setting),
        ["encryption.keyTransform"] = setting => SettingText.Transform(setting),
    };

    /// <summary>The names of a server.</summary>
    public static readonly Dictionary<string, Action<Setting>> Server = new(StringComparer.Ordinal)
    {
        ["host"] = setting => SettingText.Line(setting),
        ["port"] = setting => SettingText.Number(setting, 1, 65535),
        ["user"] = setting => SettingText.Line(setting),
        ["database"] = setting => SettingText.Line(setting),
        ["sslMode"] = setting => SettingText.SslMode(setting),
        ["passwordFile"] = setting => SettingText.Line(setting),
        ["dataDirectory"] = setting => SettingText.Line(setting),
    };

    private static readonly string[] s_everywhere = ["delta", "wal", "encryption"];

    /// <summary>Those that only a bucket has.</summary>
    public static readonly string[] OfBuckets =
        [.. Repository.Keys.Where(static key => key is not ("location" or "compression" or "compressionLevel")
            && !s_everywhere.Contains(key.Split('.')[0]))];

    /// <summary>Those that name a file or a folder, which is relative to the configuration file.</summary>
    public static readonly string[] Paths = ["credentialsFile", "customerKeyFile", "caCertificateFile", "encryption.keyFile", "wal.spool", "passwordFile", "dataDirectory"];

    /// <summary>How a secret is to be given in place of a name that would hold it in plain text; null for any other name.</summary>
    public static string? InsteadOf(string name, bool ofServer) => !SecretName().IsMatch(name) ? null
        : ofServer ? "Put the password into a file in the form of .pgpass, 0600, and name it as passwordFile:; or use .pgpass itself."
        : name.Contains("encrypt", StringComparison.OrdinalIgnoreCase) || name.Contains("sodium", StringComparison.OrdinalIgnoreCase) || name.Equals("key", StringComparison.OrdinalIgnoreCase)
            ? "Put the key into a file of its own, 0600, and name it as encryption: { keyFile: … }."
        : name.Contains("customer", StringComparison.OrdinalIgnoreCase) ? "Put the key into a file of its own, 0600, and name it as customerKeyFile:."
        : "Put access key and secret key into a file in the form of the AWS tools' credentials file, 0600, and name it as credentialsFile:; or name a profile:.";

    [GeneratedRegex("pass(word|phrase|wd)?$|secret|token$|access_?-?key|^(encryption|sodium|libsodium|customer|cipher|private)?_?-?keys?$|^credentials?$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex SecretName();
}
