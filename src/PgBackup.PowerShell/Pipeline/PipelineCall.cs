namespace PgBackup.PowerShell.Pipeline;

/// <summary>Something that the body wants done on the pipeline's thread.</summary>
internal abstract class PipelineCall
{
    /// <summary>Does it. What it throws is told to the caller and thrown on.</summary>
    public abstract void Run();

    /// <summary>Tells the caller that it will not be done.</summary>
    public abstract void Refuse(Exception reason);
}

/// <summary>A call with a result.</summary>
internal sealed class PipelineCall<T>(Func<T> work) : PipelineCall
{
    // Continuations run elsewhere: the body must not go on on the pipeline's thread.
    private readonly TaskCompletionSource<T> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends with what the work returned or threw.</summary>
    public Task<T> Result => _result.Task;

    /// <inheritdoc/>
    public override void Run()
    {
        try
        {
            _result.SetResult(work());
        }
        catch (Exception error)
        {
            _result.SetException(error);
            throw;
        }
    }

    /// <inheritdoc/>
    public override void Refuse(Exception reason) => _result.SetException(reason);
}
