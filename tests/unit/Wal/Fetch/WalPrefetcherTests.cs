using System.Diagnostics;
using PgBackup.Codecs;
using PgBackup.Configuration;
using PgBackup.Errors;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Wal.Native;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Push;
using PgBackup.Wal.Spool;

namespace PgBackup.Tests.Wal.Fetch;

/// <summary>The one that fetches ahead, within this process: what it puts into the spool, how much, and when it ends.</summary>
public sealed class WalPrefetcherTests : IAsyncLifetime
{
    private const int Count = 16;
    // Longer than a busy machine may hold a test up between two requests.
    private static readonly TimeSpan s_idle = TimeSpan.FromSeconds(3);

    private readonly NativeLab _lab = new();
    private readonly string[] _names = [.. Enumerable.Range(3, Count).Select(NativeLab.Name)];
    private RepositorySettings _settings = null!;
    private int _started;

    private string Target => _lab.PathOf("RECOVERYXLOG");

    public async Task InitializeAsync()
    {
        _settings = _lab.Settings with { Wal = _lab.Settings.Wal with { Prefetch = 5 } };
        var push = new WalPush(_lab.Repository);
        foreach (string name in _names)
            await push.PushAsync(WalSamples.WriteFile(_lab.Folder.Path, name, Content(name)));
    }

    public Task DisposeAsync()
    {
        _lab.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task WhatComesNextIsTakenFromTheSpool()
    {
        await FetchAsync(_names[0]);
        Assert.Equal(1, _started);
        Task prefetcher = PrefetchAsync();
        for (int i = 1; i < Count; i++)
        {
            await UntilAsync(() => InSpool().Contains(_names[i]));
            // Taken from there: the archive does not have it any more.
            File.Delete(WalSamples.ObjectPath(_lab.Repository, _names[i] + ".zst"));
            await FetchAsync(_names[i]);
        }
        Assert.Equal(1, _started);
        await prefetcher;
        Assert.Empty(InSpool());
    }

    [Fact]
    public async Task NeverMoreThanIsSetLiesInTheSpool()
    {
        await FetchAsync(_names[0]);
        Task prefetcher = PrefetchAsync();
        int most = 0;
        for (int i = 1; i < Count; i++)
        {
            await UntilAsync(() => InSpool().Contains(_names[Math.Min(i + 4, Count - 1)]));
            most = Math.Max(most, InSpool().Length);
            await FetchAsync(_names[i]);
        }
        // Of a segment that was passed by, the one who fetches it may not know yet.
        Assert.InRange(most, 5, 5 + 1);
        await prefetcher;
    }

    [Fact]
    public async Task OneWorksAndOthersLeaveAtOnce()
    {
        await FetchAsync(_names[0]);
        Task first = PrefetchAsync();
        await UntilAsync(() => InSpool().Length > 0);
        Stopwatch waited = Stopwatch.StartNew();
        await WalPrefetcher.RunAsync(_settings, _lab.WalFolder, TimeSpan.FromMinutes(5), OperationLog.None, CancellationToken.None);
        Assert.InRange(waited.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(30));
        await first;
    }

    [Fact]
    public async Task WhenItIsStoppedNothingIsLeft()
    {
        await FetchAsync(_names[0]);
        using var stop = new CancellationTokenSource();
        Task prefetcher = WalPrefetcher.RunAsync(_settings, _lab.WalFolder, TimeSpan.FromMinutes(5), OperationLog.None, stop.Token);
        await UntilAsync(() => InSpool().Length > 0);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => prefetcher);
        Assert.Empty(InSpool());
    }

    [Fact]
    public async Task WhatAKilledOneLeftIsNoHindrance()
    {
        await FetchAsync(_names[0]);
        string folder = SpoolFolder();
        File.WriteAllText(Path.Combine(folder, _names[1] + ".pgbackup-part"), "half");
        File.WriteAllText(Path.Combine(folder, _names[2]), "not a segment");
        File.WriteAllText(Target + ".pgbackup-part", "half");
        Stopwatch waited = Stopwatch.StartNew();
        await FetchAsync(_names[1]);
        await FetchAsync(_names[2]);
        Assert.InRange(waited.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20));
        Assert.Equal([Target], Directory.GetFiles(_lab.WalFolder));
        await PrefetchAsync();
        Assert.Empty(InSpool());
    }

    [Fact]
    public async Task AnotherTimelineIsFollowed()
    {
        string other = "00000002" + _names[3][8..];
        var push = new WalPush(_lab.Repository);
        await push.PushAsync(WalSamples.WriteSegment(_lab.Folder.Path, other));
        string after = "00000002" + _names[4][8..];
        await push.PushAsync(WalSamples.WriteSegment(_lab.Folder.Path, after));
        await FetchAsync(_names[2]);
        Task prefetcher = PrefetchAsync();
        await UntilAsync(() => InSpool().Contains(_names[3]));
        await FetchAsync(other);
        await UntilAsync(() => InSpool().Contains(after));
        File.Delete(WalSamples.ObjectPath(_lab.Repository, after + ".zst"));
        await FetchAsync(after);
        await prefetcher;
        Assert.Empty(InSpool());
    }

    [Fact]
    public async Task ADamagedObjectIsToldToWhoAsksForIt()
    {
        string bad = WalSamples.ObjectPath(_lab.Repository, _names[3] + ".zst");
        File.WriteAllBytes(bad, File.ReadAllBytes(bad)[..^1000]);
        await FetchAsync(_names[0]);
        Task prefetcher = PrefetchAsync();
        await UntilAsync(() => InSpool().Contains(_names[2]));
        await FetchAsync(_names[1]);
        await FetchAsync(_names[2]);
        Assert.Equal("ObjectDamaged", (await Assert.ThrowsAsync<PgBackupException>(() => FetchAsync(_names[3]))).Id);
        await prefetcher;
        Assert.Empty(InSpool());
    }

    [Fact]
    public async Task ASpoolWithoutRoomIsNoHindrance()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(2);
        _settings = _settings with { Wal = _settings.Wal with { SpoolFolder = disk.Path } };
        await FetchAsync(_names[0]);
        Task prefetcher = PrefetchAsync();
        for (int i = 1; i < Count; i++)
            await FetchAsync(_names[i]);
        await prefetcher;
        Assert.Empty(Directory.GetFiles(disk.Path, "0*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task WithoutASpoolNothingIsStarted()
    {
        File.WriteAllText(_lab.SpoolRoot, "");
        await FetchAsync(_names[0]);
        Assert.Equal(0, _started);
        await PrefetchAsync();
        _settings = _settings with { Wal = new WalSettings { Prefetch = 0 } };
        await FetchAsync(_names[1]);
        Assert.Equal(0, _started);
    }

    private static byte[] Content(string name) => WalSamples.SegmentBytes(name, seed: int.Parse(name[^4..], System.Globalization.NumberStyles.HexNumber, null));

    private async Task FetchAsync(string name)
    {
        File.Delete(Target);
        await SpooledFetch.FetchAsync(_settings, name, Target, () => _started++);
        Assert.Equal(name.StartsWith("00000001", StringComparison.Ordinal) ? Content(name) : WalSamples.SegmentBytes(name), File.ReadAllBytes(Target));
        Assert.Equal([Target], Directory.GetFiles(_lab.WalFolder));
    }

    private Task PrefetchAsync() => Task.Run(() => WalPrefetcher.RunAsync(_settings, _lab.WalFolder, s_idle, OperationLog.None, CancellationToken.None));

    private string SpoolFolder() => Path.GetDirectoryName(new FetchSpool(WalSpool.TryOpen(_settings, _lab.WalFolder, OperationLog.None)!).PathOf(WalSegmentName.Parse(_names[0])))!;

    private string[] InSpool() => [.. Directory.GetFiles(SpoolFolder(), "0*").Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    private static async Task UntilAsync(Func<bool> holds)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!holds())
        {
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(30), "What was waited for did not come.");
            await Task.Delay(5);
        }
    }
}
