using System.IO.Enumeration;
using System.Runtime.CompilerServices;
using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Storage;

/// <summary>
/// A repository in a folder of a file system. Objects are written beside their name, synced, renamed, and the folder synced; files made by root
/// are given to the owner of the repository's folder, so that the server's account can go on archiving into it.
/// </summary>
public sealed class DirectoryStore : IObjectStore
{
    private static readonly EnumerationOptions s_flat = new() { AttributesToSkip = 0, IgnoreInaccessible = false, ReturnSpecialDirectories = false };
    private static readonly EnumerationOptions s_deep = new() { AttributesToSkip = 0, IgnoreInaccessible = false, RecurseSubdirectories = true };

    private readonly string _root;
    private readonly DirectoryFolders _folders;

    /// <summary>Takes the folder; it need not exist before the first write.</summary>
    public DirectoryStore(string root)
    {
        _root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
        _folders = new DirectoryFolders(_root);
    }

    /// <inheritdoc/>
    public string Location => _root;

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredObject> ListAsync(
        string folder, bool recursive, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string start = FolderPath(folder);
        FileSystemEnumerable<StoredObject> entries;
        try
        {
            if (!DirectoryFolders.Exists(start))
            {
                RequireRoot();
                yield break;
            }
            int skip = _root.Length + 1;
            entries = new FileSystemEnumerable<StoredObject>(
                start,
                (ref FileSystemEntry entry) => new StoredObject(ToKey(entry.ToFullPath()[skip..]), entry.Length, entry.LastWriteTimeUtc),
                recursive ? s_deep : s_flat)
            {
                ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && !ObjectKey.IsTemporary(entry.FileName),
            };
        }
        catch (DirectoryNotFoundException)
        {
            yield break; // Removed with its last object a moment ago.
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.StorageReadFailed(Location, folder, error);
        }

        using IEnumerator<StoredObject> enumerator = entries.GetEnumerator();
        while (MoveNext(enumerator, folder))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (ObjectKey.IsValid(enumerator.Current.Key)) // What no key can name is no object.
                yield return enumerator.Current;
        }
        await Task.CompletedTask.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ListFoldersAsync(string folder, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string start = FolderPath(folder);
        var names = new List<string>();
        try
        {
            if (DirectoryFolders.Exists(start))
            {
                foreach (string path in Directory.EnumerateDirectories(start, "*", s_flat))
                    names.Add(Path.GetFileName(path));
            }
            else
            {
                RequireRoot();
            }
        }
        catch (DirectoryNotFoundException)
        {
            yield break; // Removed with its last object a moment ago.
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.StorageReadFailed(Location, folder, error);
        }
        foreach (string name in names)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return name;
        }
        await Task.CompletedTask.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<StoredObject?> StatAsync(string key, CancellationToken cancellationToken = default)
    {
        try
        {
            string path = PathOf(key);
            if (!OperatingSystem.IsWindows())
            {
                // FileInfo says of a file that we may not look at that it is not there.
                return Task.FromResult<StoredObject?>(Posix.FactsOf(path, followLinks: true) is { IsRegular: true } facts
                    ? new StoredObject(key, facts.Size, facts.Modified.ToDateTimeOffset())
                    : null);
            }
            var file = new FileInfo(path);
            return Task.FromResult<StoredObject?>(file.Exists ? new StoredObject(key, file.Length, file.LastWriteTimeUtc) : null);
        }
        catch (FileNotFoundException)
        {
            return Task.FromResult<StoredObject?>(null); // Deleted between the two looks.
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.StorageReadFailed(Location, key, error);
        }
    }

    /// <inheritdoc/>
    public Task<Stream> OpenReadAsync(string key, long offset = 0, long? length = null, CancellationToken cancellationToken = default)
    {
        try
        {
            var file = new FileStream(PathOf(key), new FileStreamOptions
            {
                Mode = FileMode.Open,
                Access = FileAccess.Read,
                Share = FileShare.ReadWrite | FileShare.Delete,
                BufferSize = 0,
                Options = FileOptions.SequentialScan,
            });
            return Task.FromResult<Stream>(new RangeStream(file, offset, length, error => PgErrors.StorageReadFailed(Location, key, error)));
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            RequireRoot();
            throw PgErrors.ObjectNotFound(Location, key);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.StorageReadFailed(Location, key, error);
        }
    }

    /// <inheritdoc/>
    public Task<ObjectWriter> CreateAsync(string key, PutCondition condition = PutCondition.None, CancellationToken cancellationToken = default)
    {
        string path = PathOf(key);
        try
        {
            if (condition == PutCondition.IfAbsent && File.Exists(path))
                throw PgErrors.ObjectExists(Location, key);
            return Task.FromResult<ObjectWriter>(new DirectoryObjectWriter(this, _folders, key, path, condition));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.StorageWriteFailed(Location, key, error);
        }
    }

    /// <inheritdoc/>
    public bool CanCopyFrom(IObjectStore source) => source is DirectoryStore;

    /// <inheritdoc/>
    public async Task CopyFromAsync(IObjectStore source, string sourceKey, string targetKey, CancellationToken cancellationToken = default)
    {
        Stream content = await source.OpenReadAsync(sourceKey, cancellationToken: cancellationToken).ConfigureAwait(false);
        await using (content.ConfigureAwait(false))
        {
            await this.PutAsync(targetKey, content, PutCondition.None, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public Task<StoreDescription> DescribeAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            RequireRoot();
            return Task.FromResult(new StoreDescription
            {
                Kind = "Directory",
                ClockSkew = null,
                Versioning = StoreVersioning.Off,
                HasObjectLock = false,
                FreeBytes = new DriveInfo(_root).AvailableFreeSpace,
            });
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.StorageReadFailed(Location, "", error);
        }
    }

    /// <inheritdoc/>
    public Task DeleteAsync(IReadOnlyCollection<string> keys, CancellationToken cancellationToken = default)
    {
        var folders = new HashSet<string>(StringComparer.Ordinal);
        foreach (string key in keys)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string path = PathOf(key);
            try
            {
                File.Delete(path);
                folders.Add(Path.GetDirectoryName(path)!);
            }
            catch (DirectoryNotFoundException)
            {
                // Gone already, with its folder.
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw PgErrors.StorageWriteFailed(Location, key, error);
            }
        }
        foreach (string folder in folders)
        {
            try
            {
                _folders.RemoveEmpty(folder);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw PgErrors.StorageWriteFailed(Location, Path.GetRelativePath(_root, folder), error);
            }
        }
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<int> RemoveUnfinishedAsync(string folder, DateTimeOffset startedBefore, CancellationToken cancellationToken = default)
    {
        string start = FolderPath(folder);
        try
        {
            if (!DirectoryFolders.Exists(start))
                return Task.FromResult(0);
            string[] paths = [.. UnfinishedBelow(start).Where(f => f.Started < startedBefore).Select(static f => f.Path)];
            foreach (string path in paths)
            {
                cancellationToken.ThrowIfCancellationRequested();
                File.Delete(path);
            }
            foreach (string? parent in paths.Select(Path.GetDirectoryName).Distinct(StringComparer.Ordinal))
                _folders.RemoveEmpty(parent!);
            return Task.FromResult(paths.Length);
        }
        catch (DirectoryNotFoundException)
        {
            return Task.FromResult(0); // Removed beside us, with all that it held.
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.StorageWriteFailed(Location, folder, error);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<UnfinishedObject> ListUnfinishedAsync(string folder, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string start = FolderPath(folder);
        var found = new List<UnfinishedObject>();
        try
        {
            if (DirectoryFolders.Exists(start))
            {
                foreach ((string path, DateTimeOffset started, long size) in UnfinishedBelow(start))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    found.Add(new UnfinishedObject(ToKey(path[(_root.Length + 1)..path.LastIndexOf(".tmp.", StringComparison.Ordinal)]), started, size));
                }
            }
        }
        catch (DirectoryNotFoundException)
        {
            yield break; // Removed beside us, with all that it held.
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.StorageReadFailed(Location, folder, error);
        }
        foreach (UnfinishedObject item in found)
            yield return item;
        await Task.CompletedTask.ConfigureAwait(false);
    }

    private static FileSystemEnumerable<(string Path, DateTimeOffset Started, long Size)> UnfinishedBelow(string folder) =>
        new(folder, (ref FileSystemEntry entry) => (entry.ToFullPath(), ObjectKey.TemporarySince(entry.FileName), entry.Length), s_deep)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && ObjectKey.IsTemporary(entry.FileName),
        };

    private static string ToKey(string relativePath) => OperatingSystem.IsWindows() ? relativePath.Replace('\\', '/') : relativePath;

    private bool MoveNext(IEnumerator<StoredObject> enumerator, string folder)
    {
        while (true)
        {
            try
            {
                return enumerator.MoveNext();
            }
            catch (FileNotFoundException)
            {
                // An entry that was deleted while its facts were read; the enumeration goes on behind it.
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw PgErrors.StorageReadFailed(Location, folder, error);
            }
        }
    }

    private void RequireRoot()
    {
        if (!DirectoryFolders.Exists(_root))
            throw PgErrors.RepositoryNotFound(Location);
    }

    private string FolderPath(string folder)
    {
        if (folder.Length == 0)
            return _root;
        ObjectKey.Validate(folder.TrimEnd('/'));
        return Path.Combine(_root, folder.TrimEnd('/'));
    }

    private string PathOf(string key)
    {
        ObjectKey.Validate(key);
        return Path.Combine(_root, key);
    }
}
