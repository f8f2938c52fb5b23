namespace PgBackup.Storage.S3;

/// <summary>Gives an attempt up when no byte has come or gone for a time; a slow transfer that moves is left alone.</summary>
internal sealed class StallGuard : IDisposable
{
    private readonly CancellationTokenSource _source;
    private readonly CancellationToken _outer;
    private readonly TimeSpan _idle;
    private long _armed;

    public StallGuard(TimeSpan idle, CancellationToken outer)
    {
        _idle = idle;
        _outer = outer;
        _source = CancellationTokenSource.CreateLinkedTokenSource(outer);
        Arm();
    }

    /// <summary>The token of the attempt.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>True when the attempt ended for want of progress, not because its caller gave up.</summary>
    public bool HasStalled => _source.IsCancellationRequested && !_outer.IsCancellationRequested;

    /// <summary>Tells that bytes moved.</summary>
    public void Moved()
    {
        // Setting the timer takes a lock; once in a while is enough.
        if (Environment.TickCount64 - Volatile.Read(ref _armed) > 500)
            Arm();
    }

    public void Dispose() => _source.Dispose();

    private void Arm()
    {
        Volatile.Write(ref _armed, Environment.TickCount64);
        _source.CancelAfter(_idle);
    }
}
