using System.Diagnostics.CodeAnalysis;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>The calls on their way from the body's threads to the pipeline's, in order. Bounded: whoever fills it waits.</summary>
internal sealed class PipelineQueue
{
    private const int Capacity = 1024;
    private readonly Queue<PipelineCall> _calls = new();
    private bool _closed;

    /// <summary>True when nothing is left and nothing can come.</summary>
    public bool IsFinished
    {
        get
        {
            lock (_calls)
                return _closed && _calls.Count == 0;
        }
    }

    /// <summary>Adds a call; false when the queue is closed, because the pipeline does not listen any more.</summary>
    public bool TryAdd(PipelineCall call)
    {
        lock (_calls)
        {
            while (_calls.Count >= Capacity && !_closed)
                Monitor.Wait(_calls);
            if (_closed)
                return false;
            _calls.Enqueue(call);
            Monitor.PulseAll(_calls);
            return true;
        }
    }

    /// <summary>Takes the next call, waiting for one at most as long as <paramref name="wait"/>.</summary>
    public bool TryTake(TimeSpan wait, [NotNullWhen(true)] out PipelineCall? call)
    {
        lock (_calls)
        {
            if (_calls.Count == 0 && !_closed)
                Monitor.Wait(_calls, wait);
            if (!_calls.TryDequeue(out call))
                return false;
            Monitor.PulseAll(_calls);
            return true;
        }
    }

    /// <summary>Takes nothing more; what is in it can still be taken out.</summary>
    public void Close()
    {
        lock (_calls)
        {
            _closed = true;
            Monitor.PulseAll(_calls);
        }
    }
}
