using System.Diagnostics.CodeAnalysis;

namespace PgBackup.Storage.S3;

/// <summary>What all parts of a store share.</summary>
internal sealed class S3Context(S3Settings settings) : IDisposable
{
    private const long UploadMemory = 120L << 20;
    private const long DownloadMemory = 96L << 20;

    private readonly string _prefix = settings.Prefix.Length == 0 ? "" : settings.Prefix + "/";

    /// <summary>The settings.</summary>
    public S3Settings Settings { get; } = Check(settings);

    /// <summary>The repository as its user names it.</summary>
    public string Location { get; } = settings.Location;

    /// <summary>The bucket.</summary>
    public string Bucket => Settings.Bucket;

    /// <summary>The way to the store.</summary>
    public S3Requests Requests { get; } = new(settings);

    /// <summary>The memory of parts being filled and in flight.</summary>
    public BufferBudget Uploads { get; } = new(UploadMemory);

    /// <summary>The memory of ranges that are read.</summary>
    public BufferBudget Downloads { get; } = new(DownloadMemory);

    /// <summary>The name in the bucket of a key; throws <c>ObjectKeyInvalid</c>.</summary>
    public string NameOf(string key)
    {
        ObjectKey.Validate(key);
        return _prefix + key;
    }

    /// <summary>What the names in the bucket of a folder's objects start with; the folder is empty or ends in a slash.</summary>
    public string NameOfFolder(string folder)
    {
        if (folder.Length > 0)
        {
            if (!folder.EndsWith('/'))
                throw new ArgumentException("A folder ends in '/'.", nameof(folder));
            ObjectKey.Validate(folder[..^1]);
        }
        return _prefix + folder;
    }

    /// <summary>What the names in the bucket of all keys start with that start so.</summary>
    public string NamesFrom(string start) => _prefix + start;

    /// <summary>The key of a name in the bucket; false for what no key can name.</summary>
    public bool TryKeyOf(string name, [NotNullWhen(true)] out string? key)
    {
        key = name.StartsWith(_prefix, StringComparison.Ordinal) ? name[_prefix.Length..] : null;
        if (key is not null && ObjectKey.IsValid(key))
            return true;
        key = null;
        return false;
    }

    /// <summary>A secret that goes with every request goes over TLS, or not off this machine.</summary>
    private static S3Settings Check(S3Settings settings) =>
        settings is { ServerSideEncryption: S3ServerSideEncryption.CustomerKey, EndpointUrl: { Scheme: "http", IsLoopback: false } }
            ? throw Errors.PgErrors.StorageNeedsTls(settings.Location)
            : settings;

    public void Dispose() => Requests.Dispose();
}
