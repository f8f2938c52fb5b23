using System.Management.Automation;
using System.Runtime.ExceptionServices;
using PgBackup.Errors;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>
/// A cmdlet with an asynchronous body. The body runs on worker threads; the pipeline's thread does what the body asks for (writes,
/// questions) until the body has ended: on Ctrl+C, SIGTERM or an error of the pipeline the body's token is cancelled, and its clean-up runs to its end first.
/// </summary>
public abstract class AsyncPgCmdlet : PSCmdlet, IDisposable
{
    private readonly CancellationTokenSource _stop = new();

    /// <summary>How long a stopped body may take to clean up before it is left behind with a warning.</summary>
    protected virtual TimeSpan StopGrace => TimeSpan.FromSeconds(30);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <inheritdoc/>
    protected sealed override void BeginProcessing()
    {
    }

    /// <inheritdoc/>
    protected sealed override void ProcessRecord()
    {
        try
        {
            Prepare();
        }
        catch (PgBackupException error)
        {
            Fail(error);
        }
        Pump(RunAsync);
        OnSuccess();
    }

    /// <inheritdoc/>
    protected sealed override void EndProcessing() => Pump(EndAsync);

    /// <summary>Only cancels: PowerShell calls it from another thread and waits for the pipeline's thread afterwards.</summary>
    protected sealed override void StopProcessing() => RequestStop();

    /// <summary>
    /// Runs on the pipeline's thread before <see cref="RunAsync"/>: the place to resolve paths and to read preferences and variables.
    /// A <see cref="PgBackupException"/> ends the cmdlet.
    /// </summary>
    protected virtual void Prepare()
    {
    }

    /// <summary>
    /// The body: once for each input object, or once when there is no pipeline input. It must not touch the cmdlet's PowerShell members,
    /// passes the token on, and cleans up without it. A <see cref="PgBackupException"/> ends the cmdlet.
    /// </summary>
    protected virtual Task RunAsync(IPipeline pipeline, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>The body once more after all input.</summary>
    protected virtual Task EndAsync(IPipeline pipeline, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Called when the pipeline is over, however it ended.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
            _stop.Dispose();
    }

    /// <summary>Runs on the pipeline's thread when <see cref="RunAsync"/> has succeeded for an input object.</summary>
    private protected virtual void OnSuccess()
    {
    }

    /// <summary>Runs on the pipeline's thread before a failure ends the cmdlet; not before a stop.</summary>
    private protected virtual void OnFailure(Exception error)
    {
    }

    private void Pump(Func<IPipeline, CancellationToken, Task> body)
    {
        using TerminationSignals signals = new(RequestStop);
        PipelinePump pump = new(this, RequestStop, StopGrace);
        Exception? failure = pump.Run(pipeline => body(pipeline, _stop.Token), _stop.Token);
        if (Stopping || signals.Received || pump.PipelineError is not null)
            ReportLost(failure, pump.PipelineError);
        if (signals.Received)
            Terminate();
        if (Stopping)
        {
            ExitCodePolicy.Interrupted(this);
            throw new PipelineStoppedException();
        }
        if (pump.PipelineError is not null)
        {
            OnFailure(pump.PipelineError);
            ExceptionDispatchInfo.Throw(pump.PipelineError);
        }
        if (failure is not null)
            Fail(failure);
    }

    private void Fail(Exception error)
    {
        OnFailure(error);
        ThrowTerminatingError(error.ToErrorRecord());
    }

    // The rest of the script must not run: a statement-terminating error would let it go on after the signal.
    private void Terminate()
    {
        Host.SetShouldExit(ExitCodes.Terminated);
        if (!Stopping)
            WriteError(ErrorRecords.Terminated(MyInvocation.MyCommand.Name));
        throw new PipelineStoppedException();
    }

    // The pipeline takes nothing more, but a clean-up that failed must be seen.
    private void ReportLost(Exception? failure, Exception? pipelineError)
    {
        if (failure is null or OperationCanceledException or PipelineStoppedException || ReferenceEquals(failure, pipelineError))
            return;
        Host.UI?.WriteErrorLine($"{MyInvocation.MyCommand.Name}: {failure.ToErrorRecord().ErrorDetails.Message}");
    }

    private void RequestStop()
    {
        try
        {
            // Not Cancel(): that runs what is registered on the token here, and may block.
            _ = _stop.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // The pipeline ended in between: there is nothing left to stop.
        }
    }
}
