using PgBackup.Postgres.Server;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Status;

namespace PgBackup.Tests.Wal.Status;

/// <summary>What a real server's archiver does wrong, seen by the watchman.</summary>
public sealed class WatchedArchiverTests
{
    [Fact]
    public async Task OneFileThatCannotBeArchivedIsNamedAndOverWhenItCan()
    {
        await using WatchedServer watched = await WatchedServer.StartAsync();
        await watched.SwitchAsync();
        WalArchiveStatus well = await watched.WaitAsync(s => s is { ArchivedCount: > 0, ReadyCount: 0 });
        Assert.Equal(WalArchiveHealth.Ok, well.Status);
        Assert.Equal(WalArchiveMethod.Command, well.Method);
        Assert.True(well.IsNewestReadable);
        Assert.Equal(0, well.LagSegments);
        Assert.InRange(well.Lag!.Value.Bytes, 0, 16 << 20);
        Assert.InRange(well.LastArchivedAge!.Value, TimeSpan.Zero, TimeSpan.FromMinutes(1));
        Assert.True(well.FreeSpace?.Bytes > 0);
        Assert.True(well.WalSize?.Bytes >= 16 << 20);

        string stuck = well.CurrentSegment.ToString();
        await watched.SetCommandAsync($"test %f != {stuck} && {watched.CopyCommand}");
        await watched.SwitchAsync(3);
        WalArchiveStatus failing = await watched.WaitAsync(s => s.FailedCount > 1);
        Assert.Equal(WalArchiveHealth.Failure, failing.Status);
        Assert.StartsWith($"Archiving is stuck at {stuck}, which has been waiting since", failing.Reasons[0], StringComparison.Ordinal);
        Assert.Contains("archive command failed", await File.ReadAllTextAsync(watched.Cluster.LogFile), StringComparison.Ordinal);
        Assert.Equal(3, failing.ReadyCount);
        Assert.Equal(3, failing.LagSegments);

        await watched.SetCommandAsync(watched.CopyCommand);
        WalArchiveStatus over = await watched.WaitAsync(s => s.ReadyCount == 0 && s.LagSegments == 0);
        Assert.Equal(WalArchiveHealth.Warning, over.Status);
        Assert.Contains("works again", Assert.Single(over.Reasons), StringComparison.Ordinal);
        Assert.Equal(WalArchiveHealth.Ok, (await watched.LookAsync(new WalArchiveStatusOptions { Thresholds = new WalArchiveThresholds { FailureWindow = TimeSpan.Zero } })).Status);
    }

    [Fact]
    public async Task ACommandThatOnlySucceedsIsFoundOutBothWays()
    {
        await using WatchedServer watched = await WatchedServer.StartAsync("/bin/true");
        Assert.Contains("stores nothing", Assert.Single((await watched.LookAsync()).Reasons), StringComparison.Ordinal);
        await watched.SwitchAsync();
        WalArchiveStatus lying = await watched.WaitAsync(s => s.ArchivedCount > 0);
        Assert.Equal(WalArchiveHealth.Failure, lying.Status);
        Assert.Contains(lying.Reasons, r => r.Contains($"archived {lying.LastArchivedWal}, but", StringComparison.Ordinal));
        // The server alone cannot know.
        Assert.Contains("No repository", string.Join(' ', (await ServerOnlyAsync(watched)).Notes), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABacklogIsLookedAtTwice()
    {
        await using WatchedServer watched = await WatchedServer.StartAsync("sleep 30 && false %p");
        await watched.SwitchAsync(12);
        Task writing = WriteAsync(watched);
        WalArchiveStatus status = await watched.LookAsync(new WalArchiveStatusOptions { Interval = TimeSpan.FromSeconds(1) });
        await writing;
        Assert.Equal(12, status.ReadyCount);
        Assert.Equal(WalArchiveHealth.Warning, status.Status);
        Assert.True(status.BacklogGrowth?.Bytes > 0, $"{status.BacklogGrowth}");
        Assert.NotNull(status.TimeToFull);
        Assert.Contains("become more", status.Reasons[0], StringComparison.Ordinal);
        Assert.Equal(WalArchiveHealth.Failure, (await watched.LookAsync(new WalArchiveStatusOptions { Thresholds = new WalArchiveThresholds { MaxAge = TimeSpan.FromMilliseconds(1) } })).Status);
    }

    [Fact]
    public async Task ADiskThatIsNearlyFullIsAFailure()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(80);
        await using WatchedServer watched = await WatchedServer.StartAsync("false %p");
        await watched.Cluster.StopAsync();
        string wal = Path.Combine(watched.Cluster.DataDirectory, "pg_wal"), moved = Path.Combine(disk.Path, "pg_wal");
        (await ServerAccount.Current.RunAsync("/bin/sh", ["-c", "mv \"$0\" \"$1\" && ln -s \"$1\" \"$0\"", wal, moved])).EnsureSuccess();
        await watched.Cluster.StartAsync();
        WalArchiveStatus some = await watched.LookAsync();
        Assert.Contains(some.Reasons, r => r.Contains("are free where pg_wal lies", StringComparison.Ordinal));
        Assert.InRange(some.FreeSpace!.Value.Bytes, 1, 80 << 20);
        while (new DriveInfo(disk.Path).AvailableFreeSpace > 32 << 20)
            await watched.SwitchAsync();
        WalArchiveStatus full = await watched.LookAsync();
        Assert.Equal(WalArchiveHealth.Failure, full.Status);
        Assert.Contains(full.Reasons, r => r.Contains("the server stops, at once", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ALibraryBesideACommandIsRefusedByTheServer()
    {
        await using WatchedServer watched = await WatchedServer.StartAsync(null, 18, ("archive_library", "basic_archive"));
        WalArchiveStatus status = await watched.LookAsync();
        Assert.Equal(WalArchiveHealth.Failure, status.Status);
        Assert.Equal(WalArchiveMethod.Library, status.Method);
        Assert.Contains("both set", status.Reasons[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatARoleMaySee()
    {
        await using WatchedServer watched = await WatchedServer.StartAsync();
        await watched.SwitchAsync();
        await watched.WaitAsync(s => s is { ArchivedCount: > 0, ReadyCount: 0 });
        await watched.Cluster.ExecuteAsync("CREATE ROLE watchman LOGIN IN ROLE pg_monitor; CREATE ROLE stranger LOGIN");
        WalArchiveStatus seen = await watched.LookAsync(role: "watchman");
        Assert.Equal(WalArchiveHealth.Ok, seen.Status);
        Assert.Empty(seen.Notes);
        WalArchiveStatus probed = await watched.LookAsync(new WalArchiveStatusOptions { Probe = true }, "watchman");
        Assert.Equal(WalArchiveHealth.Warning, probed.Status);
        Assert.Contains("GRANT EXECUTE ON FUNCTION pg_switch_wal()", Assert.Single(probed.Reasons), StringComparison.Ordinal);
        Assert.Null(probed.ProbeSegment);
        await watched.Cluster.ExecuteAsync("GRANT EXECUTE ON FUNCTION pg_switch_wal() TO watchman");
        Assert.NotNull((await watched.LookAsync(new WalArchiveStatusOptions { Probe = true }, "watchman")).ProbeDuration);
        WalArchiveStatus hidden = await watched.LookAsync(role: "stranger");
        Assert.Equal(WalArchiveHealth.Warning, hidden.Status);
        Assert.Contains("pg_monitor", Assert.Single(hidden.Reasons), StringComparison.Ordinal);
        Assert.Null(hidden.ReadyCount);
        Assert.Contains(hidden.Notes, n => n.Contains("unknown", StringComparison.Ordinal));
    }

    private static async Task<WalArchiveStatus> ServerOnlyAsync(WatchedServer watched)
    {
        var settings = new ServerConnectionSettings { ConnectionString = watched.Cluster.ConnectionString };
        await using ServerSession session = await ServerSession.OpenAsync(settings);
        return await WalArchiveStatusReader.ReadAsync(session, null);
    }

    private static async Task WriteAsync(WatchedServer watched)
    {
        for (int i = 0; i < 30; i++)
        {
            await watched.Cluster.ExecuteAsync("SELECT pg_logical_emit_message(true, 'test', repeat('x', 300000))");
            await Task.Delay(50);
        }
    }
}
