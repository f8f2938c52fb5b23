using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Wal.Receiving;
using PgBackup.Wal.Push;

namespace PgBackup.Tests.Wal.Push;

public sealed class SharedAdmissionTests : IAsyncLifetime
{
    private const string Next = "000000010000000000000004";

    private static readonly TimeSpan s_soon = TimeSpan.FromSeconds(30);

    private readonly TempFolder _folder = new();
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string _first = "";
    private string _second = "";
    private WalPush _push = null!;
    private int _looks;

    public async Task InitializeAsync()
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"));
        await WalPush.PushAsync(repository, WalSamples.WriteSegment(_folder.Combine("pg_wal"), "000000010000000000000002"));
        _first = WalSamples.WriteSegment(_folder.Combine("pg_wal"));
        _second = WalSamples.WriteSegment(_folder.Combine("pg_wal"), Next);
        _push = new WalPush(repository with { Store = new StoreWithHook(repository.Store, LookAsync) });
    }

    public Task DisposeAsync()
    {
        _folder.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task OneLookServesAllPushes()
    {
        _answer.SetResult();
        await Task.WhenAll(_push.PushAsync(_first), _push.PushAsync(_second));
        await _push.PushAsync(_first);
        Assert.Equal(1, _looks);
    }

    [Fact]
    public async Task AFailureIsNotKept()
    {
        _answer.SetException(new IOException("The store does not answer."));
        await Assert.ThrowsAsync<IOException>(() => _push.PushAsync(_first));
        Assert.Equal(WalPushStatus.Stored, (await _push.PushAsync(_first)).Status);
        Assert.Equal(2, _looks);
    }

    [Fact]
    public async Task WhoIsStoppedStopsNobodyElse()
    {
        using var stop = new CancellationTokenSource();
        Task<WalPushResult> first = _push.PushAsync(_first, stop.Token);
        await _asked.Task.WaitAsync(s_soon);
        Task<WalPushResult> second = _push.PushAsync(_second);
        await stop.CancelAsync();
        // Though the store has not answered yet: the other one waits for that.
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.WaitAsync(s_soon));
        _answer.SetResult();
        Assert.Equal(WalPushStatus.Stored, (await second.WaitAsync(s_soon)).Status);
        Assert.Equal(1, _looks);
    }

    [Fact]
    public async Task WhatNobodyWaitsForIsStoppedAndNotKept()
    {
        using var stop = new CancellationTokenSource();
        Task<WalPushResult> first = _push.PushAsync(_first, stop.Token);
        await _asked.Task.WaitAsync(s_soon);
        await stop.CancelAsync();
        _answer.SetResult();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.WaitAsync(s_soon));
        Assert.Equal(WalPushStatus.Stored, (await _push.PushAsync(_second)).Status);
        Assert.Equal(2, _looks);
    }

    // The first look waits for its answer, those behind it are answered at once.
    private Task LookAsync(string key)
    {
        if (key != RepositoryIdentity.FirstKey || Interlocked.Increment(ref _looks) > 1)
            return Task.CompletedTask;
        _asked.SetResult();
        return _answer.Task;
    }
}
