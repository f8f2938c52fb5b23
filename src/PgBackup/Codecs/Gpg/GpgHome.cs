using PgBackup.Errors;

namespace PgBackup.Codecs.Gpg;

/// <summary>
/// A key ring for one key, which this account alone may read: made when it is first needed, in memory where there is a file system for that, and removed, its agent ended, when it has not been
/// needed for some seconds and when this process ends. What a process that was killed has left is removed by the next one.
/// </summary>
internal sealed class GpgHome
{
    private const string MemoryFolder = "/dev/shm";
    private const string Prefix = "pgbackup-gpg-";

    // Held open as long as the key ring is in use: the system gives it back even for a process that was killed.
    private const string LockName = "pgbackup.lock";

    private static readonly TimeSpan s_idle = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_unlockedAge = TimeSpan.FromMinutes(1);

    private readonly ReadOnlyMemory<byte> _key;
    private readonly string _source;
    private readonly Lock _lock = new();
    private string? _folder;
    private FileStream? _held;
    private int _users;
    private int _generation;

    public GpgHome(ReadOnlyMemory<byte> key, string source)
    {
        _key = key;
        _source = source;
    }

    /// <summary>Makes it if need be, and keeps it until the lease is given back. Throws <c>GpgMissing</c>, <c>EncryptionKeyInvalid</c>, <c>GpgHomeUnwritable</c>.</summary>
    public Lease Acquire()
    {
        lock (_lock)
        {
            _folder ??= Create();
            _users++;
            _generation++;
            return new Lease(this, _folder);
        }
    }

    private string Create()
    {
        RemoveAbandoned();
        string folder = MakeFolder();
        AppDomain.CurrentDomain.ProcessExit += OnExit;
        try
        {
            if (GpgProgram.Import(folder, _key.Span) is { } complaint)
                throw PgErrors.PgpKeyRefused(_source, complaint);
            return folder;
        }
        catch
        {
            Remove(folder);
            throw;
        }
    }

    private string MakeFolder()
    {
        try
        {
            string folder = Path.Combine(Parent(), Prefix + Path.GetRandomFileName());
            if (OperatingSystem.IsWindows())
                Directory.CreateDirectory(folder);
            else
                Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            _held = new FileStream(Path.Combine(folder, LockName), FileMode.CreateNew, FileAccess.Write, FileShare.None);
            return folder;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.GpgHomeUnwritable(error);
        }
    }

    // Short: the agent's socket lies in it, and the system bounds the length of a socket's path.
    private static string Parent() => OperatingSystem.IsLinux() && Directory.Exists(MemoryFolder) ? MemoryFolder : Path.GetTempPath();

    private static void RemoveAbandoned()
    {
        foreach (string folder in Directory.EnumerateDirectories(Parent(), Prefix + "*"))
        {
            try
            {
                string held = Path.Combine(folder, LockName);
                if (!File.Exists(held) && DateTime.UtcNow - Directory.GetLastWriteTimeUtc(folder) < s_unlockedAge)
                    continue; // Just being made.
                if (File.Exists(held))
                    new FileStream(held, FileMode.Open, FileAccess.Write, FileShare.None).Dispose();
                Directory.Delete(folder, recursive: true);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // In use, or another account's.
            }
        }
    }

    private void Release()
    {
        int generation;
        lock (_lock)
        {
            if (--_users > 0)
                return;
            generation = _generation;
        }
        _ = RemoveWhenIdleAsync(generation);
    }

    // A restore opens object after object: a key ring for each would cost more than the objects.
    private async Task RemoveWhenIdleAsync(int generation)
    {
        await Task.Delay(s_idle).ConfigureAwait(false);
        lock (_lock)
        {
            if (_users > 0 || _generation != generation)
                return;
            RemoveNow();
        }
    }

    // In haste: the agent ends by itself when its socket is gone.
    private void OnExit(object? sender, EventArgs e)
    {
        _held?.Dispose();
        if (_folder is { } folder)
            Delete(folder);
    }

    private void RemoveNow()
    {
        if (_folder is { } folder)
        {
            _folder = null;
            Remove(folder);
        }
    }

    private void Remove(string folder)
    {
        AppDomain.CurrentDomain.ProcessExit -= OnExit;
        GpgProgram.EndDaemons(folder);
        _held?.Dispose(); // Windows deletes no file that is open.
        _held = null;
        Delete(folder);
    }

    private static void Delete(string folder)
    {
        for (int attempt = 1; Directory.Exists(folder); attempt++)
        {
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (Exception error) when (attempt < 20 && error is IOException or UnauthorizedAccessException)
            {
                Thread.Sleep(20); // The agent removes its sockets as it ends.
            }
        }
    }

    /// <summary>Keeps the key ring.</summary>
    public sealed class Lease(GpgHome home, string folder) : IDisposable
    {
        private int _returned;

        /// <summary>The key ring's folder.</summary>
        public string Folder { get; } = folder;

        /// <summary>Gives it back.</summary>
        public void Dispose()
        {
            if (Interlocked.Exchange(ref _returned, 1) == 0)
                home.Release();
        }
    }
}
