using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using PgBackup.Storage;

namespace PgBackup.Repository;

/// <summary>
/// Small documents of a repository (sentinels, metadata, manifests) in a file of this machine: ten thousand backups are listed without twenty thousand requests. What the store's listing tells of an
/// object (ETag, size, time) must be what it told when the document was read; a store without ETags is always asked.
/// </summary>
internal sealed class DocumentCache
{
    private const int Version = 1;
    private const int LargestDocument = 64 << 10;

    private readonly string? _path;
    private readonly IOperationLog _log;
    private readonly Dictionary<string, (string Tag, byte[] Content)> _stored = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _tags = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, (string Tag, byte[] Content)> _used = new(StringComparer.Ordinal);
    private volatile bool _isChanged;

    private DocumentCache(string? path, IOperationLog log)
    {
        (_path, _log) = (path, log);
    }

    /// <summary>Opens the cache of a repository; a file that cannot be read is passed over, and written anew.</summary>
    /// <param name="location">The repository.</param>
    /// <param name="log">Where it is said that the file could not be used.</param>
    /// <param name="folder">The folder of the caches; null for the account's own.</param>
    public static DocumentCache Open(string location, IOperationLog log, string? folder = null)
    {
        folder ??= DefaultFolder();
        var cache = new DocumentCache(folder is null ? null : Path.Combine(folder, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(location)), 0, 16)), log);
        cache.Load();
        return cache;
    }

    /// <summary>Takes what a listing tells of an object.</summary>
    public void Note(StoredObject item)
    {
        if (item.ETag is not null && item.Size <= LargestDocument)
            _tags[item.Key] = string.Create(CultureInfo.InvariantCulture, $"{item.ETag} {item.Size} {item.LastModified.UtcTicks}");
    }

    /// <summary>Reads a document whole, from here or from the store; null when there is none.</summary>
    public async Task<byte[]?> TryReadAsync(IObjectStore store, string key, CancellationToken cancellationToken)
    {
        if (!_tags.TryGetValue(key, out string? tag))
            return await store.TryReadAllAsync(key, cancellationToken).ConfigureAwait(false);
        if (_stored.TryGetValue(key, out (string Tag, byte[] Content) known) && known.Tag == tag)
        {
            _used[key] = known;
            return known.Content;
        }
        byte[]? content = await store.TryReadAllAsync(key, cancellationToken).ConfigureAwait(false);
        if (content is { Length: <= LargestDocument })
        {
            _used[key] = (tag, content);
            _isChanged = true;
        }
        return content;
    }

    /// <summary>Writes what was used back for the next time.</summary>
    public void Save()
    {
        if (_path is null || (!_isChanged && _used.Count == _stored.Count) || _used.IsEmpty)
            return;
        string temporary = string.Create(CultureInfo.InvariantCulture, $"{_path}.{Environment.ProcessId}.{Environment.TickCount64}");
        try
        {
            string folder = Path.GetDirectoryName(_path)!;
            if (OperatingSystem.IsWindows())
                Directory.CreateDirectory(folder);
            else
                Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            Write(temporary);
            File.Move(temporary, _path, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            _log.Verbose($"What was read of the backups could not be kept for the next time: {error.Message}");
        }
    }

    private static string? DefaultFolder()
    {
        string? root = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (string.IsNullOrEmpty(root) || !Path.IsPathRooted(root))
        {
            string home = Environment.GetFolderPath(OperatingSystem.IsWindows() ? Environment.SpecialFolder.LocalApplicationData : Environment.SpecialFolder.UserProfile);
            root = home.Length == 0 ? null : OperatingSystem.IsWindows() ? home : Path.Combine(home, ".cache");
        }
        return root is null ? null : Path.Combine(root, "pgbackup", "documents");
    }

    private void Load()
    {
        if (_path is null)
            return;
        try
        {
            using var reader = new BinaryReader(new GZipStream(File.OpenRead(_path), CompressionMode.Decompress), Encoding.UTF8);
            if (reader.ReadInt32() != Version)
                return;
            for (int count = reader.ReadInt32(); count > 0; count--)
            {
                string key = reader.ReadString(), tag = reader.ReadString();
                int length = reader.ReadInt32();
                byte[] content = length is >= 0 and <= LargestDocument ? reader.ReadBytes(length) : throw new InvalidDataException("It holds a document that is too long.");
                if (content.Length != length)
                    throw new EndOfStreamException();
                _stored[key] = (tag, content);
            }
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            // The first time.
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            _stored.Clear();
            _log.Verbose($"What was kept of the backups when they were read last cannot be used, and is read anew: {error.Message}");
        }
    }

    private void Write(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var writer = new BinaryWriter(new GZipStream(new FileStream(path, options), CompressionLevel.Fastest), Encoding.UTF8);
        KeyValuePair<string, (string Tag, byte[] Content)>[] entries = [.. _used];
        writer.Write(Version);
        writer.Write(entries.Length);
        foreach ((string key, (string tag, byte[] content)) in entries)
        {
            writer.Write(key);
            writer.Write(tag);
            writer.Write(content.Length);
            writer.Write(content);
        }
    }
}
