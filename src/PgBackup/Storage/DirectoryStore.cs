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

    /// <summary>Takes the folder; it need not exist before the first write.</summary>
    public DirectoryStore(string root)
    {
        _root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(root));
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
            if (!Directory.Exists(start))
            {
                RequireRoot();
                yield break;
            }
            int skip = _root.Length + 1;
            entries = new FileSystemEnumerable<StoredObject>(
                start,
                (ref FileSystemEntry entry) => new StoredObject(entry.ToFullPath()[skip..].Replace('\\', '/'), entry.Length, entry.LastWriteTimeUtc),
                recursive ? s_deep : s_flat)
            {
                ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory && !ObjectKey.IsTemporary(entry.FileName),
            };
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.StorageReadFailed(Location, folder, error);
        }

        using IEnumerator<StoredObject> enumerator = entries.GetEnumerator();
        while (MoveNext(enumerator, folder))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return enumerator.Current;
        }
        await Task.CompletedTask.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ListFoldersAsync(string folder, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string start = FolderPath(folder);
        if (!Directory.Exists(start))
        {
            RequireRoot();
            yield break;
        }
        foreach (string path in Directory.EnumerateDirectories(start))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return Path.GetFileName(path);
        }
        await Task.CompletedTask.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<StoredObject?> StatAsync(string key, CancellationToken cancellationToken = default)
    {
        try
        {
            var file = new FileInfo(PathOf(key));
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
            return Task.FromResult<Stream>(offset == 0 && length is null ? file : new RangeStream(file, offset, length));
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
            return Task.FromResult<ObjectWriter>(new DirectoryObjectWriter(this, key, path, condition));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.StorageWriteFailed(Location, key, error);
        }
    }

    /// <inheritdoc/>
    public async Task CopyAsync(string sourceKey, string targetKey, CancellationToken cancellationToken = default)
    {
        Stream source = await OpenReadAsync(sourceKey, cancellationToken: cancellationToken).ConfigureAwait(false);
        await using (source.ConfigureAwait(false))
        {
            await this.PutAsync(targetKey, source, PutCondition.None, cancellationToken).ConfigureAwait(false);
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
            RemoveEmptyFolders(folder);
        return Task.CompletedTask;
    }

    /// <summary>Makes the folder of an object, with all above it up to the root, durable.</summary>
    internal void CreateFolder(string folder)
    {
        if (Directory.Exists(folder))
            return;
        string parent = Path.GetDirectoryName(folder) ?? throw PgErrors.RepositoryNotFound(Location);
        if (folder.Length > _root.Length)
            CreateFolder(parent);
        else if (!Directory.Exists(parent))
            throw PgErrors.RepositoryNotFound(Location); // A mistyped path or a disk that is not mounted must not become a new repository.
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder);
        else
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute);
        if (Posix.IsRoot)
        {
            (uint user, uint group) = Posix.OwnerOf(parent);
            Posix.ChangeOwner(folder, user, group);
        }
        Posix.SyncDirectory(parent);
    }

    /// <summary>Removes a folder that an object has left, and those above it up to the root, where they are empty.</summary>
    internal void RemoveEmptyFolders(string folder)
    {
        while (folder.Length > _root.Length)
        {
            string parent = Path.GetDirectoryName(folder)!;
            try
            {
                if (!Directory.Exists(folder))
                {
                    folder = parent;
                    continue;
                }
                Posix.SyncDirectory(folder);
                using (IEnumerator<string> entries = Directory.EnumerateFileSystemEntries(folder).GetEnumerator())
                {
                    if (entries.MoveNext())
                        return;
                }
                Directory.Delete(folder);
                Posix.SyncDirectory(parent);
            }
            catch (IOException) when (Directory.Exists(folder))
            {
                return; // Somebody put an object there in between: the folder is needed again.
            }
            folder = parent;
        }
    }

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
        if (!Directory.Exists(_root))
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
