using PgBackup.Storage.S3;

namespace PgBackup.Tests.Storage.S3;

public sealed class RequestGateTests
{
    [Fact]
    public async Task NoMoreThanTheLimitAreInside()
    {
        var gate = new RequestGate(3);
        int inside = 0, most = 0;
        await Task.WhenAll(Enumerable.Range(0, 40).Select(async _ =>
        {
            using (await gate.EnterAsync(CancellationToken.None))
            {
                int now = Interlocked.Increment(ref inside);
                InterlockedMax(ref most, now);
                await Task.Delay(2);
                Interlocked.Decrement(ref inside);
            }
        }));
        Assert.InRange(most, 2, 3);
    }

    [Fact]
    public void ThrottlingHalvesAndSuccessesRaiseAgain()
    {
        var clock = new ManualTime();
        var gate = new RequestGate(8, clock);
        gate.Throttled(null);
        gate.Throttled(null); // The same burst.
        Assert.Equal(4, gate.Limit);
        for (int i = 0; i < 10; i++)
        {
            clock.Now += TimeSpan.FromMinutes(1);
            gate.Throttled(null);
        }
        Assert.Equal(1, gate.Limit);
        for (int i = 0; i < 1_000; i++)
            gate.Succeeded();
        Assert.Equal(8, gate.Limit);
    }

    [Fact]
    public async Task WhoGivesUpInTheQueueLeavesNoHole()
    {
        var gate = new RequestGate(1);
        RequestGate.Place first = await gate.EnterAsync(CancellationToken.None);
        using var source = new CancellationTokenSource();
        Task<RequestGate.Place> second = gate.EnterAsync(source.Token), third = gate.EnterAsync(CancellationToken.None);
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        first.Dispose();
        (await third.WaitAsync(TimeSpan.FromMinutes(1))).Dispose();
        (await gate.EnterAsync(CancellationToken.None).WaitAsync(TimeSpan.FromMinutes(1))).Dispose();
    }

    private static void InterlockedMax(ref int target, int value)
    {
        int seen;
        while ((seen = Volatile.Read(ref target)) < value && Interlocked.CompareExchange(ref target, value, seen) != seen)
        {
        }
    }

    private sealed class ManualTime : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
