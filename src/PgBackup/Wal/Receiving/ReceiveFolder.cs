using PgBackup.Errors;

namespace PgBackup.Wal.Receiving;

/// <summary>
/// A private folder for the segments that are being received, gone when receiving ends. What a killed receiver left is removed by the next one: it knows by the lock file
/// that nobody holds.
/// </summary>
internal sealed class ReceiveFolder : IDisposable
{
    private const string Prefix = "pgbackup-receive-";
    private const string LockName = "lock";

    private readonly FileStream _lock;

    private ReceiveFolder(string path, FileStream lockFile)
    {
        Path = path;
        _lock = lockFile;
    }

    public string Path { get; }

    /// <summary>Throws <c>WalSpoolFailed</c>.</summary>
    public static ReceiveFolder Create()
    {
        string parent = System.IO.Path.GetTempPath();
        try
        {
            RemoveLeftovers(parent);
            // Only for this account: it holds the log in plain text, also that of an encrypted repository.
            string path = Directory.CreateTempSubdirectory(Prefix).FullName;
            return new ReceiveFolder(path, Lock(path, FileMode.CreateNew));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.WalSpoolFailed(parent, error);
        }
    }

    public void Dispose()
    {
        _lock.Dispose();
        TryRemove(Path);
    }

    private static FileStream Lock(string path, FileMode mode) =>
        new(System.IO.Path.Combine(path, LockName), mode, FileAccess.ReadWrite, FileShare.None);

    private static void RemoveLeftovers(string parent)
    {
        foreach (string path in Directory.EnumerateDirectories(parent, Prefix + "*"))
        {
            try
            {
                Lock(path, FileMode.Open).Dispose();
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                continue; // Of one that lives, of another account, or just being made.
            }
            TryRemove(path);
        }
    }

    private static void TryRemove(string path)
    {
        try
        {
            Directory.Delete(path, recursive: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The next receiver tries again.
        }
    }
}
