using System.Diagnostics;
using System.Management.Automation;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>Runs one body on a worker and does on the calling thread, the pipeline's, what the body asks for, until the body has ended.</summary>
internal sealed class PipelinePump(PSCmdlet cmdlet, Action requestStop, TimeSpan stopGrace)
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(100);
    private readonly PipelineQueue _queue = new();
    private readonly ProgressDisplay _progress = new(TimeProvider.System);

    /// <summary>The first thing that PowerShell threw when it was asked for something: it decides how the cmdlet ends.</summary>
    public Exception? PipelineError { get; private set; }

    /// <summary>Returns what the body threw, or null. Does not return before the body has ended, or the time to clean up after a stop is over.</summary>
    public Exception? Run(Func<IPipeline, Task> body, CancellationToken stop)
    {
        CmdletPipeline pipeline = new(cmdlet, _queue, _progress);
        Task<Exception?> running = Task.Run(() => RunBodyAsync(body, pipeline), CancellationToken.None);
        bool ended = Drain(stop);
        if (_progress.Completed() is { } last)
            Attempt(() => cmdlet.WriteProgress(last));
        if (ended)
            return running.GetAwaiter().GetResult();
        _queue.Close();
        while (_queue.TryTake(TimeSpan.Zero, out PipelineCall? call))
            call.Refuse(new PipelineStoppedException());
        cmdlet.Host.UI?.WriteWarningLine(
            $"{cmdlet.MyInvocation.MyCommand.Name} has not finished its clean-up {stopGrace.TotalSeconds:0} seconds after it was stopped, and is left behind.");
        return null;
    }

    private async Task<Exception?> RunBodyAsync(Func<IPipeline, Task> body, CmdletPipeline pipeline)
    {
        try
        {
            await body(pipeline).ConfigureAwait(false);
            return null;
        }
        catch (Exception error)
        {
            // Not swallowed: the pipeline's thread decides what it means.
            return error;
        }
        finally
        {
            _queue.Close();
        }
    }

    private bool Drain(CancellationToken stop)
    {
        Stopwatch sinceStop = new();
        while (!_queue.IsFinished)
        {
            if (_queue.TryTake(s_tick, out PipelineCall? call))
            {
                if (PipelineError is null)
                    Attempt(call.Run);
                else
                    call.Refuse(new PipelineStoppedException());
            }
            if (PipelineError is null && _progress.Due() is { } record)
                Attempt(() => cmdlet.WriteProgress(record));
            if (stop.IsCancellationRequested && !sinceStop.IsRunning)
                sinceStop.Start();
            if (sinceStop.Elapsed > stopGrace)
                return false;
        }
        return true;
    }

    // Whatever PowerShell throws here (a stop, -ErrorAction Stop, Select-Object -First, an error of the next command) is kept and thrown
    // on unchanged, after the body has cleaned up.
    private void Attempt(Action work)
    {
        try
        {
            work();
        }
        catch (Exception error)
        {
            PipelineError ??= error;
            requestStop();
        }
    }
}
