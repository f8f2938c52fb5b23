using System.Management.Automation;

namespace PgBackup.PowerShell.Pipeline;

/// <summary>The pipeline of one cmdlet, reached through the queue.</summary>
internal sealed class CmdletPipeline(PSCmdlet cmdlet, PipelineQueue queue, ProgressDisplay progress) : IPipeline, IOperationLog
{
    private static readonly string[] s_auditTags = ["PgBackup.Audit"];

    /// <inheritdoc/>
    public IOperationLog Log => this;

    /// <inheritdoc/>
    public IProgress<OperationProgress> Progress => progress;

    /// <inheritdoc/>
    public Task WriteObjectAsync(object value, bool enumerate = false) => DoAsync(() => cmdlet.WriteObject(value, enumerate));

    /// <inheritdoc/>
    public Task WriteErrorAsync(Exception error) => WriteErrorAsync(error.ToErrorRecord());

    /// <inheritdoc/>
    public Task WriteErrorAsync(ErrorRecord error) => DoAsync(() => cmdlet.WriteError(error));

    /// <inheritdoc/>
    public Task<bool> ShouldProcessAsync(string target, string action) => AskAsync(() => cmdlet.ShouldProcess(target, action));

    /// <inheritdoc/>
    public Task<bool> ShouldContinueAsync(string query, string caption) => AskAsync(() => cmdlet.ShouldContinue(query, caption));

    /// <summary>Queues the line and goes on; it is dropped when the pipeline does not listen any more.</summary>
    public void Write(LogLevel level, string message) => queue.TryAdd(new PipelineCall<bool>(() =>
    {
        switch (level)
        {
            case LogLevel.Debug:
                cmdlet.WriteDebug(message);
                break;
            case LogLevel.Verbose:
                cmdlet.WriteVerbose(message);
                break;
            case LogLevel.Information:
                cmdlet.WriteInformation(message, s_auditTags);
                break;
            default:
                cmdlet.WriteWarning(message);
                break;
        }
        return true;
    }));

    private Task DoAsync(Action work) => AskAsync(() =>
    {
        work();
        return true;
    });

    private Task<T> AskAsync<T>(Func<T> work)
    {
        PipelineCall<T> call = new(work);
        return queue.TryAdd(call) ? call.Result : Task.FromException<T>(new PipelineStoppedException());
    }
}
