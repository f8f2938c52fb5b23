using PgBackup.Repository;
using PgBackup.Storage;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Push;
using PgBackup.Wal.Status;

namespace PgBackup.Tests.Wal.Status;

/// <summary>What can happen to the repository, and the probe that proves the whole way.</summary>
public sealed class WatchedRepositoryTests
{
    [Fact]
    public async Task AnObjectThatWasDeletedDamagedOrIsForeignIsSeen()
    {
        await using WatchedServer watched = await WatchedServer.StartAsync();
        await watched.SwitchAsync(3);
        WalArchiveStatus well = await watched.WaitAsync(s => s is { ArchivedCount: > 2, ReadyCount: 0 });
        string path = Path.Combine(watched.Archive, well.LastArchivedWal!);
        byte[] content = File.ReadAllBytes(path);

        File.WriteAllBytes(path, content[..^8192]);
        await ExpectAsync(watched, well.LastArchivedWal!, "cannot be used");
        byte[] zeros = new byte[content.Length];
        File.WriteAllBytes(path, zeros);
        WalArchiveStatus damaged = await ExpectAsync(watched, "first page", "take a new backup");
        Assert.False(damaged.IsNewestReadable);
        byte[] foreign = [.. content];
        BitConverter.TryWriteBytes(foreign.AsSpan(24), WalSamples.Cluster);
        File.WriteAllBytes(path, foreign);
        await ExpectAsync(watched, $"written by the cluster {WalSamples.Cluster}");

        File.Delete(path);
        WalArchiveStatus deleted = await ExpectAsync(watched, "does not hold it");
        Assert.NotNull(deleted.NewestSegment);
        Assert.Equal(1, deleted.LagSegments);

        // Stored again by the module, compressed: found whatever the extension.
        await WalPush.PushAsync(watched.Repository, WalSamples.WriteFile(Path.Combine(watched.Cluster.Folder, "again"), well.LastArchivedWal!, content));
        Assert.Equal(WalArchiveHealth.Ok, (await watched.LookAsync()).Status);
        string stored = Directory.GetFiles(watched.Archive, "*.zst").Single();
        byte[] cut = File.ReadAllBytes(stored);
        File.WriteAllBytes(stored, cut[..(cut.Length / 2)]);
        await ExpectAsync(watched, "cannot be used");
    }

    [Fact]
    public async Task AnotherRepositoryAndNoneAreFailuresAndNoErrors()
    {
        await using WatchedServer watched = await WatchedServer.StartAsync();
        using var folder = new TempFolder();
        await watched.SwitchAsync();
        await watched.WaitAsync(s => s is { ArchivedCount: > 0, ReadyCount: 0 });
        WalArchiveStatus other = await watched.LookAsync(repository: WalSamples.Repository(folder.Combine("other")));
        Assert.Equal(WalArchiveHealth.Failure, other.Status);
        Assert.Contains("stores elsewhere", Assert.Single(other.Reasons), StringComparison.Ordinal);
        WalArchiveStatus none = await watched.LookAsync(repository: watched.Repository with { Store = new DirectoryStore(folder.Combine("none")) });
        Assert.Equal(WalArchiveHealth.Failure, none.Status);
        Assert.Contains("does not exist", Assert.Single(none.Reasons), StringComparison.Ordinal);
        WalArchiveStatus key = await watched.LookAsync(repository: WalSamples.Repository(watched.Repository.Location, hexKey: WalSamples.HexKey));
        Assert.Equal(WalArchiveHealth.Failure, key.Status);
    }

    [Fact]
    public async Task TheOldestBackupsFirstSegmentIsLookedFor()
    {
        await using WatchedServer watched = await WatchedServer.StartAsync();
        await watched.SwitchAsync(2);
        WalArchiveStatus well = await watched.WaitAsync(s => s is { ArchivedCount: > 1, ReadyCount: 0 });
        foreach (string segment in new[] { well.LastArchivedWal!, "000000010000000000000001" })
            await watched.Repository.Store.PutAsync($"{RepositoryLayout.BackupFolder}base_{segment}{RepositoryLayout.SentinelSuffix}", new byte[] { 1 });
        Assert.Equal(WalArchiveHealth.Ok, (await watched.LookAsync()).Status);
        File.Delete(Path.Combine(watched.Archive, "000000010000000000000001"));
        File.Delete(Path.Combine(watched.Archive, "000000010000000000000002"));
        await watched.SwitchAsync();
        WalArchiveStatus gone = await watched.WaitAsync(s => s is { ArchivedCount: > 2, ReadyCount: 0 });
        Assert.Equal(WalArchiveHealth.Warning, gone.Status);
        Assert.Contains("base_000000010000000000000001", Assert.Single(gone.Reasons), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AProbeArrivesOrTellsWhyNot()
    {
        await using WatchedServer watched = await WatchedServer.StartAsync();
        var probe = new WalArchiveStatusOptions { Probe = true, Timeout = TimeSpan.FromSeconds(60) };
        for (int i = 0; i < 2; i++)
        {
            // A second one finds an empty segment, and switches all the same.
            WalArchiveStatus arrived = await watched.LookAsync(probe);
            Assert.Equal(WalArchiveHealth.Ok, arrived.Status);
            Assert.Equal(arrived.ProbeSegment, arrived.NewestSegment);
            Assert.InRange(arrived.ProbeDuration!.Value, TimeSpan.Zero, TimeSpan.FromSeconds(60));
        }
        await watched.SetCommandAsync("false %p");
        WalArchiveStatus lost = await watched.LookAsync(probe with { Timeout = TimeSpan.FromSeconds(2) });
        Assert.Equal(WalArchiveHealth.Failure, lost.Status);
        Assert.Null(lost.ProbeDuration);
        Assert.Contains(lost.Reasons, r => r.Contains($"segment {lost.ProbeSegment} was not in the repository 2 seconds", StringComparison.Ordinal));
        Assert.Contains(lost.Reasons, r => r.StartsWith("Archiving is stuck", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AProbeWaitsUntilACopyOntoTheFinalNameIsWhole()
    {
        await using WatchedServer watched = await WatchedServer.StartAsync();
        await watched.SetCommandAsync($"head -c 1000000 %p > '{watched.Archive}/%f' && sleep 2 && cp %p '{watched.Archive}/%f'");
        WalArchiveStatus arrived = await watched.LookAsync(new WalArchiveStatusOptions { Probe = true, Timeout = TimeSpan.FromSeconds(60) });
        Assert.NotNull(arrived.ProbeDuration);
        Assert.True(arrived.IsNewestReadable);
    }

    [Fact]
    public async Task AProbeThatCannotSucceedSwitchesNothing()
    {
        await using WatchedServer watched = await WatchedServer.StartAsync("/bin/true");
        WalArchiveStatus status = await watched.LookAsync(new WalArchiveStatusOptions { Probe = true, Timeout = TimeSpan.FromSeconds(60) });
        Assert.Null(status.ProbeSegment);
        Assert.Contains(status.Reasons, r => r.StartsWith("No probe: archive_command stores nothing", StringComparison.Ordinal));
    }

    private static async Task<WalArchiveStatus> ExpectAsync(WatchedServer watched, params string[] texts)
    {
        WalArchiveStatus status = await watched.LookAsync();
        Assert.Equal(WalArchiveHealth.Failure, status.Status);
        Assert.All(texts, text => Assert.Contains(status.Reasons, r => r.Contains(text, StringComparison.Ordinal)));
        return status;
    }
}
