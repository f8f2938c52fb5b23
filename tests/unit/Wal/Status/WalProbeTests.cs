using System.Diagnostics;
using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Wal.Receiving;
using PgBackup.Wal.Status;

namespace PgBackup.Tests.Wal.Status;

/// <summary>Waiting for the probe's segment takes no longer than it was told.</summary>
public sealed class WalProbeTests
{
    /// <summary>A mounted folder whose server is away holds whoever reads there, and hears no cancellation.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AStoreThatHangsIsGivenUp(bool holdsTheThread)
    {
        using var folder = new TempFolder();
        using var release = new ManualResetEventSlim();
        BackupRepository plain = WalSamples.Repository(folder.Combine("repo"));
        WalSamples.WriteSegment(Path.Combine(plain.Location, RepositoryLayout.WalFolder));
        var opened = new TaskCompletionSource();
        var released = new TaskCompletionSource();
        BackupRepository hanging = plain with
        {
            Store = new StoreWithHook(plain.Store, _ =>
            {
                opened.TrySetResult();
                if (!holdsTheThread)
                    return released.Task;
                release.Wait();
                return Task.CompletedTask;
            }),
        };
        WalFileName.TryParse(WalSamples.Segment, out WalFileName? file);
        try
        {
            var watch = Stopwatch.StartNew();
            // On a thread of its own: were it held, the test would be, too.
            Task<string?> waiting = Task.Run(() => WalProbe.WaitAsync(hanging, file!, WalSamples.Cluster, TimeSpan.FromSeconds(1), CancellationToken.None));
            string? problem = await waiting.WaitAsync(TimeSpan.FromSeconds(20));
            Assert.Equal($"The probe's segment {WalSamples.Segment} was not in the repository 1 second after it was switched away from.", problem);
            Assert.InRange(watch.Elapsed.TotalSeconds, 0.9, 15);
            Assert.True(opened.Task.IsCompleted);
        }
        finally
        {
            release.Set();
            released.SetResult();
        }
        Assert.Null(await WalProbe.WaitAsync(plain, file!, WalSamples.Cluster, TimeSpan.FromSeconds(20), CancellationToken.None));
    }

    [Fact]
    public async Task WhoStopsItIsObeyed()
    {
        using var folder = new TempFolder();
        BackupRepository repository = WalSamples.Repository(folder.Combine("repo"));
        Directory.CreateDirectory(Path.Combine(repository.Location, RepositoryLayout.WalFolder));
        WalFileName.TryParse(WalSamples.Segment, out WalFileName? file);
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => WalProbe.WaitAsync(repository, file!, WalSamples.Cluster, TimeSpan.FromMinutes(5), stop.Token));
    }
}
