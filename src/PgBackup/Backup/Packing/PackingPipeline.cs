using System.Threading.Channels;

namespace PgBackup.Backup.Packing;

/// <summary>
/// The way of the data: one thread lists and plans, every core reads and compresses frames, one appends them in order. A few frames for each core are under
/// way at most, so that memory does not depend on the size of the cluster.
/// </summary>
internal static class PackingPipeline
{
    private const int FramesPerWorker = 2;

    /// <summary>Runs until all frames are appended, or the first failure has stopped all that was under way.</summary>
    /// <param name="plan">The frames in order; enumerated on a thread of its own.</param>
    /// <param name="fill">Fills one frame, on any thread.</param>
    /// <param name="append">Appends one frame, in order.</param>
    /// <param name="workers">How many frames are filled at once.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task RunAsync(
        IAsyncEnumerable<FrameJob> plan,
        Func<FrameJob, CancellationToken, Task> fill,
        Func<FrameJob, CancellationToken, Task> append,
        int workers,
        CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var ordered = Channel.CreateBounded<FrameJob>(new BoundedChannelOptions(workers * FramesPerWorker) { SingleReader = true, SingleWriter = true });
        var open = Channel.CreateUnbounded<FrameJob>(new UnboundedChannelOptions { SingleWriter = true }); // Bounded by the other one.

        var tasks = new List<Task> { Task.Run(() => ProduceAsync(plan, ordered.Writer, open.Writer, stop.Token), CancellationToken.None) };
        for (int i = 0; i < workers; i++)
            tasks.Add(Task.Run(() => FillAllAsync(open.Reader, fill, stop.Token), CancellationToken.None));
        tasks.Add(Task.Run(() => AppendAllAsync(ordered.Reader, append, stop.Token), CancellationToken.None));

        Exception? failure = null;
        while (tasks.Count > 0)
        {
            Task ended = await Task.WhenAny(tasks).ConfigureAwait(false);
            tasks.Remove(ended);
            if (ended.IsCompletedSuccessfully)
                continue;
            Exception error = ended.Exception?.InnerException ?? new OperationCanceledException(stop.Token);
            // The first failure is the cause; what ends after it was stopped by it.
            if (failure is null || (failure is OperationCanceledException && error is not OperationCanceledException))
                failure = error;
            await stop.CancelAsync().ConfigureAwait(false);
        }
        ReleaseAll(ordered.Reader);
        cancellationToken.ThrowIfCancellationRequested();
        if (failure is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
    }

    private static async Task ProduceAsync(IAsyncEnumerable<FrameJob> plan, ChannelWriter<FrameJob> ordered, ChannelWriter<FrameJob> open, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (FrameJob job in plan.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                try
                {
                    await ordered.WriteAsync(job, cancellationToken).ConfigureAwait(false);
                }
                catch
                {
                    job.Release(); // Nobody else has seen it.
                    throw;
                }
                await open.WriteAsync(job, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            ordered.Complete();
            open.Complete();
        }
    }

    private static async Task FillAllAsync(ChannelReader<FrameJob> open, Func<FrameJob, CancellationToken, Task> fill, CancellationToken cancellationToken)
    {
        await foreach (FrameJob job in open.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            try
            {
                await fill(job, cancellationToken).ConfigureAwait(false);
                job.SetFilled();
            }
            catch (Exception error)
            {
                job.SetFailed(error);
                throw;
            }
        }
    }

    private static async Task AppendAllAsync(ChannelReader<FrameJob> ordered, Func<FrameJob, CancellationToken, Task> append, CancellationToken cancellationToken)
    {
        // A frame leaves the channel when it is done with: after a failure a worker may still be filling it, and it is released when all have ended.
        while (await ordered.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            while (ordered.TryPeek(out FrameJob? job))
            {
                await job.Filled.WaitAsync(cancellationToken).ConfigureAwait(false);
                await append(job, cancellationToken).ConfigureAwait(false);
                ordered.TryRead(out _);
                job.Release();
            }
        }
    }

    private static void ReleaseAll(ChannelReader<FrameJob> rest)
    {
        while (rest.TryRead(out FrameJob? job))
            job.Release();
    }
}
