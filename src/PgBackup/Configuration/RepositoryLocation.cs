using System.Text.RegularExpressions;
using PgBackup.Errors;

namespace PgBackup.Configuration;

/// <summary>What a repository's location means: a folder, or a bucket with a prefix.</summary>
internal sealed partial record RepositoryLocation
{
    private const string S3Scheme = "s3://";

    private RepositoryLocation()
    {
    }

    /// <summary>The folder, as a full path; null for a bucket.</summary>
    public string? Folder { get; private init; }

    /// <summary>The bucket; null for a folder.</summary>
    public string? Bucket { get; private init; }

    /// <summary>What stands before every key in the bucket, without a slash at either end.</summary>
    public string Prefix { get; private init; } = "";

    /// <summary>Whether it is a bucket.</summary>
    public bool IsS3 => Bucket is not null;

    /// <summary>As it is written.</summary>
    public override string ToString() => Folder ?? (Prefix.Length == 0 ? S3Scheme + Bucket : $"{S3Scheme}{Bucket}/{Prefix}");

    /// <summary>
    /// Reads <c>s3://bucket/prefix</c> (wal-g: a URL, so <c>%20</c> is a space), <c>file:///folder</c>, <c>file://localhost/folder</c> or a folder.
    /// Throws <c>RepositoryLocationInvalid</c>, <c>RepositoryKindNotSupported</c>.
    /// </summary>
    /// <param name="setting">The location.</param>
    /// <param name="workingFolder">What a relative folder is relative to.</param>
    public static RepositoryLocation Parse(Setting setting, string workingFolder)
    {
        string text = setting.Text.Trim();
        if (text.StartsWith(S3Scheme, StringComparison.OrdinalIgnoreCase))
            return ParseS3(setting, text[S3Scheme.Length..]);
        foreach (string scheme in (ReadOnlySpan<string>)["file://localhost/", "file:///"])
        {
            if (text.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
                return FolderAt(setting, text[(scheme.Length - (OperatingSystem.IsWindows() ? 0 : 1))..], workingFolder);
        }
        return text.Contains("://", StringComparison.Ordinal)
            ? throw (text.StartsWith("file:", StringComparison.OrdinalIgnoreCase)
                ? PgErrors.RepositoryLocationInvalid(setting, "a file: location is written file:///folder.")
                : PgErrors.RepositoryKindNotSupported(Scheme().Match(text) is { Success: true } match ? match.Value + "…" : "…"))
            : FolderAt(setting, text, workingFolder);
    }

    private static RepositoryLocation FolderAt(Setting setting, string path, string workingFolder)
    {
        if (path.Length == 0 || path.Contains('\0', StringComparison.Ordinal))
            throw PgErrors.RepositoryLocationInvalid(setting, "it names no folder.");
        return new RepositoryLocation { Folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path, workingFolder)) };
    }

    private static RepositoryLocation ParseS3(Setting setting, string rest)
    {
        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        string bucket = slash < 0 ? rest : rest[..slash];
        if (bucket.Contains('@', StringComparison.Ordinal))
            throw PgErrors.RepositoryLocationInvalid(setting with { Text = "s3://…" }, "credentials do not belong into a location.");
        if (!BucketPattern().IsMatch(bucket))
            throw PgErrors.RepositoryLocationInvalid(setting, "it names no bucket.");
        string path = slash < 0 ? "" : rest[slash..];
        if (path.AsSpan().ContainsAny('?', '#'))
            throw PgErrors.RepositoryLocationInvalid(setting, "a prefix holds neither ? nor #.");
        string prefix = Uri.UnescapeDataString(path).Trim('/');
        if (prefix.AsSpan().ContainsAnyInRange('\0', '\x1f') || prefix.Split('/').Any(segment => segment is "." or ".."))
            throw PgErrors.RepositoryLocationInvalid(setting, "a prefix holds neither control characters nor . and .. as names.");
        return new RepositoryLocation { Bucket = bucket, Prefix = prefix };
    }

    // Wider than AWS's own rule: old buckets and other stores know capitals, underscores and "tenant:bucket".
    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:-]{1,254}\z")]
    private static partial Regex BucketPattern();

    [GeneratedRegex(@"\A[A-Za-z][A-Za-z0-9+.-]*://")]
    private static partial Regex Scheme();
}
