using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Storage.S3;

namespace PgBackup.Configuration;

/// <summary>Values out of what was written; each throws <c>SettingInvalid</c>, which names the setting and where it stands.</summary>
internal static partial class SettingText
{
    private const int MostAhead = 1024;
    private const long LeastPartSize = 5L << 20;   // Amazon S3, "Multipart upload limits"
    private const long LargestPartSize = 1L << 30; // Several are held in memory.

    // strconv.ParseBool, by which wal-g reads it.
    public static bool Truth(Setting setting) => setting.Text switch
    {
        "1" or "t" or "T" or "true" or "TRUE" or "True" => true,
        "0" or "f" or "F" or "false" or "FALSE" or "False" => false,
        _ => throw PgErrors.SettingInvalid(setting, "true or false"),
    };

    // wal-g takes an address without a scheme for one of HTTPS.
    public static Uri Address(Setting setting)
    {
        string text = setting.Text.Contains("://", StringComparison.Ordinal) ? setting.Text : "https://" + setting.Text;
        return Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https" && address.Host.Length > 0
            && address is { UserInfo: "", Query: "", Fragment: "" }
            ? address
            : throw PgErrors.SettingInvalid(setting with { Text = WithoutUser(setting.Text) }, "an address such as https://s3.example.com:9000");
    }

    // A proxy's address may hold a password, which stays out of messages.
    public static Uri Proxy(Setting setting) =>
        Uri.TryCreate(setting.Text, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https" && address.Host.Length > 0
            ? address
            : throw PgErrors.SettingInvalid(setting with { Text = WithoutUser(setting.Text) }, "an address such as http://proxy.example.com:3128");

    public static string Word(Setting setting) =>
        WordPattern().IsMatch(setting.Text) ? setting.Text : throw PgErrors.SettingInvalid(setting, "one word");

    public static string Line(Setting setting) =>
        setting.Text.AsSpan().ContainsAnyInRange('\0', '\x1f') ? throw PgErrors.SettingInvalid(setting, "text on one line") : setting.Text;

    public static int Number(Setting setting, int least, int most) =>
        int.TryParse(setting.Text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : throw PgErrors.SettingInvalid(setting, $"a whole number from {least} to {most}");

    public static int Retries(Setting setting) => Number(setting, 0, 1000);

    public static int Concurrency(Setting setting) => Number(setting, 1, 256);

    public static int FilesAhead(Setting setting) => Number(setting, 0, MostAhead);

    // wal-g takes more, and a server that archives shall not stop for it.
    public static int FilesAheadOfWalG(Setting setting) => setting.IsOfEnvironment ? Math.Min(Number(setting, 0, int.MaxValue), MostAhead) : FilesAhead(setting);

    // A path that is relative to nobody knows what is no place; the account's own serves.
    public static string? SpoolOfWalG(Setting setting) => !setting.IsOfEnvironment || Path.IsPathFullyQualified(setting.Text) ? Line(setting) : null;

    public static string SslMode(Setting setting) =>
        setting.Text.Replace("-", "", StringComparison.Ordinal).ToLowerInvariant() is "disable" or "allow" or "prefer" or "require" or "verifyca" or "verifyfull"
            ? setting.Text
            : throw PgErrors.SettingInvalid(setting, "disable, allow, prefer, require, verify-ca or verify-full");

    public static string Transform(Setting setting) =>
        setting.Text is "none" or "hex" or "base64" ? setting.Text : throw PgErrors.SettingInvalid(setting, "none, hex or base64");

    public static long PartSize(Setting setting) =>
        ByteSize.TryParse(setting.Text, out ByteSize size) && size.Bytes is >= LeastPartSize and <= LargestPartSize
            ? size.Bytes
            : throw PgErrors.SettingInvalid(setting, "a size from 5 MiB to 1 GiB, for example 20MiB");

    public static TimeSpan Span(Setting setting) =>
        Duration.TryParse(setting.Text, out TimeSpan span) && span > TimeSpan.Zero && span <= TimeSpan.FromDays(36_525)
            ? span
            : throw PgErrors.SettingInvalid(setting, "a span of time, for example 30d");

    // wal-g: seconds, -1 for none.
    public static TimeSpan? RetentionSeconds(Setting setting) => setting.Text == "-1" ? null
        : long.TryParse(setting.Text, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) && seconds is > 0 and <= 3_155_760_000
            ? TimeSpan.FromSeconds(seconds)
            : throw PgErrors.SettingInvalid(setting, "a number of seconds, or -1 for none");

    public static S3RetentionMode RetentionMode(Setting setting) => setting.Text.ToUpperInvariant() switch
    {
        "GOVERNANCE" => S3RetentionMode.Governance,
        "COMPLIANCE" => S3RetentionMode.Compliance,
        _ => throw PgErrors.SettingInvalid(setting, "GOVERNANCE or COMPLIANCE"),
    };

    public static DeltaOrigin DeltaOrigin(Setting setting) => setting.Text.ToUpperInvariant() switch
    {
        "LATEST" => PgBackup.DeltaOrigin.Latest,
        "LATEST_FULL" => PgBackup.DeltaOrigin.LatestFull,
        _ => throw PgErrors.SettingInvalid(setting, "LATEST or LATEST_FULL"),
    };

    public static S3ServerSideEncryption StoreEncryption(Setting setting) => setting.Text.ToUpperInvariant() switch
    {
        "AES256" => S3ServerSideEncryption.Aes256,
        "AWS:KMS" => S3ServerSideEncryption.Kms,
        _ => throw PgErrors.SettingInvalid(setting, "AES256 or aws:kms"),
    };

    // wal-g sends the bytes of the text as they are; 32 bytes in base64 could not be a key for it, so there is no doubt about those.
    public static SecretText CustomerKey(Setting setting)
    {
        string text = setting.Text.Trim();
        byte[] raw = System.Text.Encoding.UTF8.GetBytes(text);
        if (raw.Length == 32)
            return new SecretText(Convert.ToBase64String(raw));
        byte[] decoded = new byte[64];
        return Convert.TryFromBase64String(text, decoded, out int length) && length == 32
            ? new SecretText(text)
            : throw PgErrors.SettingInvalid(setting with { Text = ConfigurationValue.Hidden }, "a key of 32 bytes, as they are or in base64");
    }

    public static CompressionMethod Compression(Setting setting) => setting.Name != "compression"
        || CompressionNames.Writable.Any(method => method.ToString().Equals(setting.Text, StringComparison.OrdinalIgnoreCase))
        ? CompressionNames.Parse(setting.Text)
        : throw PgErrors.SettingInvalid(setting, "zstd, lz4, brotli or none");

    // The names of klauspost/compress, which wal-g uses, and the levels of libzstd that it documents for them.
    public static int? CompressionLevel(Setting setting) => setting.Text.ToLowerInvariant() switch
    {
        "default" => null,
        "fastest" => 1,
        "better" => 7,
        "best" => 11,
        // The file may say it as the codec does; the variable is wal-g's, which knows the names alone.
        _ when setting.Name == "compressionLevel" => int.TryParse(setting.Text, NumberStyles.None, CultureInfo.InvariantCulture, out int level) && level is >= 1 and <= 22
            ? level
            : throw PgErrors.SettingInvalid(setting, "fastest, default, better, best, or the codec's own number"),
        _ => throw PgErrors.SettingInvalid(setting, "fastest, default, better or best"),
    };

    private static string WithoutUser(string text) => UserInfo().Replace(text, "//(hidden)@");

    [GeneratedRegex(@"\A[!-~]{1,512}\z")]
    private static partial Regex WordPattern();

    [GeneratedRegex(@"//[^/]*@")]
    private static partial Regex UserInfo();
}
