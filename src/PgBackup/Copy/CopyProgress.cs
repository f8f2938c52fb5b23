namespace PgBackup.Copy;

/// <summary>Adds up what has gone over.</summary>
internal sealed class CopyProgress(IProgress<OperationProgress> progress, string destination)
{
    private long _done;
    private long _total;
    private string _phase = "";

    /// <summary>Says how much there is in all.</summary>
    public void Begin(int backups, long bytes)
    {
        _total = bytes;
        Activity = $"Copying {backups} backup{(backups == 1 ? "" : "s")} into {destination}";
    }

    private string Activity { get; set; } = "";

    /// <summary>Says what is being copied.</summary>
    public void Enter(string phase)
    {
        _phase = phase;
        Add(0);
    }

    /// <summary>Takes bytes that have gone over; called from any thread.</summary>
    public void Add(long bytes)
    {
        long done = Interlocked.Add(ref _done, bytes);
        progress.Report(new OperationProgress(Activity, _phase, done, Math.Max(_total, done)));
    }
}
