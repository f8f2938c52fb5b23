using System.Collections.Concurrent;
using System.Diagnostics;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using PgBackup.Errors;
using PgBackup.PowerShell.Pipeline;
using Shell = System.Management.Automation.PowerShell;
using Body = System.Func<PgBackup.PowerShell.Pipeline.IPipeline, System.Threading.CancellationToken, System.Threading.Tasks.Task>;

namespace PgBackup.Tests.PowerShell;

public sealed class AsyncPgCmdletTests : IDisposable
{
    private readonly Runspace _runspace;
    private readonly Shell _shell;

    public AsyncPgCmdletTests()
    {
        InitialSessionState state = InitialSessionState.CreateDefault2();
        state.Commands.Add(new SessionStateCmdletEntry("Invoke-TestBody", typeof(InvokeTestBodyCommand), null));
        state.Commands.Add(new SessionStateCmdletEntry("Select-FirstObject", typeof(SelectFirstObjectCommand), null));
        _runspace = RunspaceFactory.CreateRunspace(state);
        _runspace.Open();
        _shell = Shell.Create(_runspace);
    }

    public void Dispose()
    {
        _shell.Dispose();
        _runspace.Dispose();
    }

    [Fact]
    public void ObjectsComeOutInOrderForEachInputAndAtTheEnd()
    {
        int? pipelineThread = null;
        Command(
            async (pipeline, _) =>
            {
                Assert.NotEqual(pipelineThread, Environment.CurrentManagedThreadId);
                await pipeline.WriteObjectAsync("a");
                await pipeline.WriteObjectAsync(new[] { "b", "c" }, enumerate: true);
                await pipeline.WriteObjectAsync(new[] { "d" });
            },
            ("Preparation", () => { pipelineThread = Environment.CurrentManagedThreadId; }),
            ("End", (Body)((pipeline, _) => pipeline.WriteObjectAsync("end"))));
        object[] output = [.. _shell.Invoke(new[] { 1, 2 }).Select(o => o.BaseObject)];
        Assert.Equal(["a", "b", "c", new[] { "d" }, "a", "b", "c", new[] { "d" }, "end"], output);
        Assert.False(_shell.HadErrors);
    }

    [Fact]
    public void EveryStreamIsReached()
    {
        Command(
            async (pipeline, _) =>
            {
                await Task.Yield();
                pipeline.Log.Verbose("v");
                pipeline.Log.Debug("d");
                pipeline.Log.Warning("w");
                pipeline.Log.Information("i");
                await pipeline.WriteErrorAsync(PgErrors.RepositoryNotFound("/nowhere"));
                await pipeline.WriteObjectAsync("after the error");
            },
            ("Verbose", true));
        _runspace.SessionStateProxy.SetVariable("DebugPreference", ActionPreference.Continue);
        Assert.Equal("after the error", Assert.Single(_shell.Invoke()).BaseObject);
        Assert.Equal("v", Assert.Single(_shell.Streams.Verbose).Message);
        Assert.Equal("d", Assert.Single(_shell.Streams.Debug).Message);
        Assert.Equal("w", Assert.Single(_shell.Streams.Warning).Message);
        InformationRecord information = Assert.Single(_shell.Streams.Information);
        Assert.Equal("i", information.MessageData);
        Assert.Equal("PgBackup.Audit", Assert.Single(information.Tags));
        Assert.Equal($"RepositoryNotFound,{typeof(InvokeTestBodyCommand).FullName}", Assert.Single(_shell.Streams.Error).FullyQualifiedErrorId);
    }

    [Fact]
    public void LinesFromManyThreadsAllArrive()
    {
        Command((pipeline, cancellationToken) => Parallel.ForAsync(0, 5000, cancellationToken, (i, _) =>
        {
            pipeline.Log.Warning($"{i}");
            return ValueTask.CompletedTask;
        }));
        _shell.Invoke();
        Assert.Equal(5000, _shell.Streams.Warning.Select(w => w.Message).Distinct().Count());
    }

    [Fact]
    public void ErrorActionStopEndsTheBodyAfterItsCleanUp()
    {
        ConcurrentQueue<string> seen = new();
        Command(
            async (pipeline, cancellationToken) =>
            {
                try
                {
                    await pipeline.WriteErrorAsync(PgErrors.RepositoryNotFound("/nowhere"));
                    seen.Enqueue("went on");
                }
                finally
                {
                    seen.Enqueue($"cancelled: {await WaitFor(() => cancellationToken.IsCancellationRequested)}");
                }
            },
            ("ErrorAction", ActionPreference.Stop));
        ActionPreferenceStopException error = Assert.Throws<ActionPreferenceStopException>(() => _shell.Invoke());
        Assert.StartsWith("RepositoryNotFound", error.ErrorRecord.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Equal(["cancelled: True"], seen);
    }

    [Fact]
    public void AFailureOfTheCatalogueBecomesItsRecord()
    {
        Command((_, _) => throw PgErrors.ObjectNotFound("/repo", "wal_005/x"));
        ErrorRecord record = Assert.Throws<CmdletInvocationException>(() => _shell.Invoke()).ErrorRecord;
        Assert.StartsWith("ObjectNotFound,", record.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Equal(ErrorCategory.ObjectNotFound, record.CategoryInfo.Category);
        Assert.Equal("wal_005/x", record.TargetObject);
        Assert.Contains("Get-PgBackup", record.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Equal(record.Exception.Message, record.ToString());
    }

    [Fact]
    public void AFailureInThePreparationIsOneToo()
    {
        Command((_, _) => Task.CompletedTask, ("Preparation", (Action)(() => throw PgErrors.RepositoryNotGiven([]))));
        ErrorRecord record = Assert.Throws<CmdletInvocationException>(() => _shell.Invoke()).ErrorRecord;
        Assert.StartsWith("RepositoryNotGiven,", record.FullyQualifiedErrorId, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(typeof(InvalidOperationException))]
    [InlineData(typeof(OperationCanceledException))]
    public void WhatTheCatalogueDoesNotKnowIsUnexpected(Type type)
    {
        Command((_, _) => Task.FromException((Exception)Activator.CreateInstance(type)!));
        ErrorRecord record = Assert.Throws<CmdletInvocationException>(() => _shell.Invoke()).ErrorRecord;
        Assert.StartsWith("UnexpectedFailure,", record.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.NotEmpty(record.ErrorDetails.RecommendedAction);
    }

    [Fact]
    public void EveryKindOfErrorIsACategory() =>
        Assert.All(Enum.GetNames<ErrorKind>(), name => Assert.True(Enum.TryParse(name, out ErrorCategory _), name));

    [Fact]
    public async Task AStopWaitsForTheCleanUp()
    {
        TaskCompletionSource started = new();
        bool cleaned = false;
        bool disposed = false;
        Command(
            async (_, cancellationToken) =>
            {
                started.SetResult();
                try
                {
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                }
                finally
                {
                    await Task.Delay(500, CancellationToken.None);
                    cleaned = true;
                }
            },
            ("Disposal", () => { disposed = true; }));
        IAsyncResult running = _shell.BeginInvoke();
        await started.Task;
        _shell.Stop();
        Assert.True(cleaned);
        Assert.True(disposed);
        Assert.Throws<PipelineStoppedException>(() => _shell.EndInvoke(running));
        Assert.Equal(PSInvocationState.Stopped, _shell.InvocationStateInfo.State);
        Assert.Empty(_shell.Streams.Error);
    }

    [Fact]
    public async Task WritesAfterAStopDoNotHang()
    {
        TaskCompletionSource started = new();
        Exception? refused = null;
        Command(async (pipeline, cancellationToken) =>
        {
            started.SetResult();
            await WaitFor(() => cancellationToken.IsCancellationRequested);
            pipeline.Log.Warning("nobody hears this");
            refused = await Record.ExceptionAsync(() => pipeline.WriteObjectAsync("too late"));
        });
        IAsyncResult running = _shell.BeginInvoke();
        await started.Task;
        _shell.Stop();
        Assert.IsType<PipelineStoppedException>(refused);
        Assert.Throws<PipelineStoppedException>(() => _shell.EndInvoke(running));
    }

    [Fact]
    public async Task ABodyThatDoesNotEndIsLeftBehindAfterTheGrace()
    {
        TaskCompletionSource started = new();
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<Exception?>? late = null;
        Command(
            async (pipeline, _) =>
            {
                started.SetResult();
                await release.Task;
                late = Record.ExceptionAsync(() => pipeline.WriteObjectAsync("too late"))!;
            },
            ("Grace", TimeSpan.FromMilliseconds(300)));
        IAsyncResult running = _shell.BeginInvoke();
        await started.Task;
        Stopwatch stopping = Stopwatch.StartNew();
        _shell.Stop();
        Assert.InRange(stopping.Elapsed, TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(10));
        release.SetResult();
        Assert.True(await WaitFor(() => late is { IsCompleted: true }));
        Assert.IsType<PipelineStoppedException>(await late!);
        Assert.Throws<PipelineStoppedException>(() => _shell.EndInvoke(running));
    }

    [Fact]
    public void AConsumerThatHasEnoughCancelsTheBody()
    {
        bool cancelled = false;
        int written = 0;
        Command(async (pipeline, cancellationToken) =>
        {
            try
            {
                while (true)
                    await pipeline.WriteObjectAsync(++written);
            }
            finally
            {
                cancelled = await WaitFor(() => cancellationToken.IsCancellationRequested);
            }
        });
        _shell.AddCommand("Select-FirstObject");
        _shell.Invoke();
        Assert.Equal(1, written);
        Assert.True(cancelled);
    }

    [Fact]
    public void DisposedOnSuccessAndOnFailure()
    {
        int disposed = 0;
        Command((_, _) => Task.CompletedTask, ("Disposal", () => { disposed++; }));
        _shell.Invoke();
        Assert.Equal(1, disposed);
        _shell.Commands.Clear();
        Command((_, _) => throw new InvalidOperationException(), ("Disposal", () => { disposed++; }));
        Assert.Throws<CmdletInvocationException>(() => _shell.Invoke());
        Assert.Equal(2, disposed);
    }

    [Fact]
    public void WhatIfIsAsked()
    {
        bool? answer = null;
        Command(async (pipeline, _) => answer = await pipeline.ShouldProcessAsync("target", "action"), ("WhatIf", true));
        _shell.Invoke();
        Assert.False(answer);
        _shell.Commands.Clear();
        Command(async (pipeline, _) => answer = await pipeline.ShouldProcessAsync("target", "action"));
        _shell.Invoke();
        Assert.True(answer);
    }

    [Fact]
    public void AQuestionThatNobodyCanAnswerIsAnError()
    {
        Command((pipeline, _) => pipeline.ShouldContinueAsync("sure?", "caption"));
        Assert.ThrowsAny<RuntimeException>(() => _shell.Invoke());
    }

    private static async Task<bool> WaitFor(Func<bool> condition)
    {
        for (int i = 0; i < 1000 && !condition(); i++)
            await Task.Delay(10);
        return condition();
    }

    private void Command(Body body, params (string Name, object Value)[] parameters)
    {
        _shell.AddCommand("Invoke-TestBody").AddParameter("Body", body);
        foreach ((string name, object value) in parameters)
            _shell.AddParameter(name, value);
    }
}
