using PgBackup.Errors;
using PgBackup.Platform;

namespace PgBackup.Storage;

/// <summary>An object of a <see cref="DirectoryStore"/> in flight: a file beside its name, until the commit.</summary>
internal sealed class DirectoryObjectWriter : ObjectWriter
{
    // Begin writing out every so many bytes: the sync at the end then has little left to wait for.
    private const int WriteBackStep = 16 << 20;

    private readonly DirectoryStore _store;
    private readonly DirectoryFolders _folders;
    private readonly string _key;
    private readonly string _path;
    private readonly string _temporaryPath;
    private readonly PutCondition _condition;
    private readonly FileStream _file;
    private long _written;
    private long _writtenBack;
    private bool _committed;

    public DirectoryObjectWriter(DirectoryStore store, DirectoryFolders folders, string key, string path, PutCondition condition)
    {
        _store = store;
        _folders = folders;
        _key = key;
        _path = path;
        _condition = condition;
        _temporaryPath = path + ObjectKey.NewTemporarySuffix();
        _file = Open();
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            await RandomAccess.WriteAsync(_file.SafeFileHandle, buffer, _written, cancellationToken).ConfigureAwait(false);
            _written += buffer.Length;
            if (_written - _writtenBack >= WriteBackStep)
            {
                Posix.BeginWriteBack(_file.SafeFileHandle, _writtenBack, _written - _writtenBack);
                _writtenBack = _written;
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.StorageWriteFailed(_store.Location, _key, error);
        }
    }

    public override Task CommitAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            _file.Flush(flushToDisk: true);
            long size = RandomAccess.GetLength(_file.SafeFileHandle);
            if (size != _written)
                throw new IOException($"{_written} bytes were written, but the file has {size}.");
            _file.Dispose();
            Publish();
            _committed = true;
            Posix.SyncDirectory(Path.GetDirectoryName(_path)!);
            return Task.CompletedTask;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.StorageWriteFailed(_store.Location, _key, error);
        }
    }

    public override ValueTask DisposeAsync()
    {
        _file.Dispose();
        if (!_committed)
            GiveUp();
        return ValueTask.CompletedTask;
    }

    private void GiveUp()
    {
        try
        {
            File.Delete(_temporaryPath);
            _folders.RemoveEmpty(Path.GetDirectoryName(_path)!);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The store has gone or turned read-only. That is told by whatever made us give up; what is left here is in no listing.
        }
    }

    private void Publish()
    {
        if (_condition == PutCondition.None)
        {
            File.Move(_temporaryPath, _path, overwrite: true);
            return;
        }
        // A link, unlike a rename, fails when the name is taken: of two at once exactly one wins.
        bool won = OperatingSystem.IsWindows() ? TryMove() : Posix.TryLink(_temporaryPath, _path);
        File.Delete(_temporaryPath);
        if (!won)
            throw PgErrors.ObjectExists(_store.Location, _key);
    }

    private bool TryMove()
    {
        try
        {
            File.Move(_temporaryPath, _path, overwrite: false);
            return true;
        }
        catch (IOException) when (File.Exists(_path))
        {
            return false;
        }
    }

    private FileStream Open()
    {
        string folder = Path.GetDirectoryName(_path)!;
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                _folders.Create(folder);
                var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.Read, BufferSize = 0 };
                if (!OperatingSystem.IsWindows())
                    options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
                var file = new FileStream(_temporaryPath, options);
                try
                {
                    if (Posix.IsRoot)
                    {
                        (uint user, uint group) = Posix.OwnerOf(folder);
                        Posix.ChangeOwner(file.SafeFileHandle, user, group);
                    }
                    return file;
                }
                catch
                {
                    file.Dispose();
                    GiveUp();
                    throw;
                }
            }
            catch (Exception error) when (error is DirectoryNotFoundException or FileNotFoundException && attempt < 20)
            {
                // A deletion beside us removed the folder, empty for an instant; the second kind when it is there again as the framework looks for the reason.
            }
        }
    }
}
