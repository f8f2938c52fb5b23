namespace PgBackup.Restore.Fetching;

/// <summary>Counts the bytes that were written, and says so; takes warnings. Called from any thread.</summary>
internal sealed class FetchProgress(string activity, long? total, IProgress<OperationProgress> progress, IOperationLog log)
{
    private const long ReportEvery = 4 << 20;

    private readonly List<string> _warnings = [];
    private long _done;
    private long _files;
    private long _reported;
    private long _fetched;
    private long _kept;

    /// <summary>The bytes written.</summary>
    public long Bytes => Interlocked.Read(ref _done);

    /// <summary>The members written.</summary>
    public long Files => Interlocked.Read(ref _files);

    /// <summary>The bytes of files that came from the repository.</summary>
    public long Fetched => Interlocked.Read(ref _fetched);

    /// <summary>The bytes of files that were there already.</summary>
    public long Kept => Interlocked.Read(ref _kept);

    /// <summary>What needs attention.</summary>
    public IReadOnlyList<string> Warnings
    {
        get
        {
            lock (_warnings)
                return [.. _warnings];
        }
    }

    /// <summary>A member of so many bytes was written.</summary>
    public void Add(long bytes)
    {
        Interlocked.Increment(ref _files);
        long done = Interlocked.Add(ref _done, bytes);
        long reported = Interlocked.Read(ref _reported);
        if (done - reported >= ReportEvery && Interlocked.CompareExchange(ref _reported, done, reported) == reported)
            progress.Report(new OperationProgress(activity, "Restoring files", done, total is { } all && all >= done ? all : null));
    }

    /// <summary>So many bytes came from the repository.</summary>
    public void AddFetched(long bytes) => Interlocked.Add(ref _fetched, bytes);

    /// <summary>So many bytes were there already.</summary>
    public void AddKept(long bytes) => Interlocked.Add(ref _kept, bytes);

    /// <summary>Something worked, but needs attention.</summary>
    public void Warn(string message)
    {
        lock (_warnings)
            _warnings.Add(message);
        log.Warning(message);
    }
}
