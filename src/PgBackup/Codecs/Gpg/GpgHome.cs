using PgBackup.Errors;

namespace PgBackup.Codecs.Gpg;

/// <summary>
/// A key ring for one key, which this account alone may read: made when it is first needed, in memory where there is a file system for that, and removed, its agent ended, when it has not been
/// needed for some seconds and when this process ends.
/// </summary>
internal sealed class GpgHome
{
    private const string MemoryFolder = "/dev/shm";

    private static readonly TimeSpan s_idle = TimeSpan.FromSeconds(2);

    private readonly ReadOnlyMemory<byte> _key;
    private readonly string _source;
    private readonly Lock _lock = new();
    private string? _folder;
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

    private static string MakeFolder()
    {
        try
        {
            // Short: the agent's socket lies in it, and the system bounds the length of a socket's path.
            string parent = OperatingSystem.IsLinux() && Directory.Exists(MemoryFolder) ? MemoryFolder : Path.GetTempPath();
            string folder = Path.Combine(parent, $"pgbackup-gpg-{Path.GetRandomFileName()}");
            if (OperatingSystem.IsWindows())
                Directory.CreateDirectory(folder);
            else
                Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return folder;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.GpgHomeUnwritable(error);
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

    private void OnExit(object? sender, EventArgs e)
    {
        lock (_lock)
            RemoveNow();
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
