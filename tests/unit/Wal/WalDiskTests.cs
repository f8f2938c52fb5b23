using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Push;

namespace PgBackup.Tests.Wal;

/// <summary>Disks that run full: a clear error, nothing half, and the same command succeeds when there is room.</summary>
public sealed class WalDiskTests
{
    [Fact]
    public async Task APushOntoAFullDiskLeavesNothingAndSucceedsLater()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(4);
        using var folder = new TempFolder();
        BackupRepository repository = WalSamples.Repository(Path.Combine(disk.Path, "repo"));
        // Half of it is noise: 8 MB stored.
        string path = WalSamples.WriteSegment(folder.Path, size: 16 << 20);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => WalPush.PushAsync(repository, path));
        Assert.Equal("StorageWriteFailed", error.Id);
        Assert.Contains("No space left", error.Message, StringComparison.Ordinal);
        Assert.Empty(WalSamples.Names(repository));

        string small = WalSamples.WriteSegment(folder.Path, "000000010000000000000004", 1 << 20);
        PgBackupException other = await Assert.ThrowsAsync<PgBackupException>(() => WalFetch.FetchAsync(repository, WalSamples.Segment, folder.Combine("out")));
        Assert.Equal("WalSegmentNotFound", other.Id);
        Assert.Equal(WalPushStatus.Stored, (await WalPush.PushAsync(repository, small)).Status);
    }

    [Fact]
    public async Task AReplacementThatFindsNoRoomKeepsWhatWasThere()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(4);
        using var folder = new TempFolder();
        BackupRepository repository = WalSamples.Repository(Path.Combine(disk.Path, "repo"));
        string path = WalSamples.WriteSegment(folder.Path, size: 4 << 20);
        WalPushResult pushed = await WalPush.PushAsync(repository, path);
        string stored = Path.Combine(repository.Location, pushed.Key);
        byte[] cut = File.ReadAllBytes(stored)[..^5000];
        File.WriteAllBytes(stored, cut);
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => WalPush.PushAsync(repository, path));
        Assert.Equal("StorageWriteFailed", error.Id);
        Assert.Equal(cut, File.ReadAllBytes(stored));
        Assert.Single(WalSamples.Names(repository));
    }

    [Fact]
    public async Task AFetchOntoAFullDiskLeavesNothing()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(4);
        using var folder = new TempFolder();
        BackupRepository repository = WalSamples.Repository(folder.Combine("repo"));
        await WalPush.PushAsync(repository, WalSamples.WriteSegment(folder.Combine("pg_wal"), size: 16 << 20));
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(
            () => WalFetch.FetchAsync(repository, WalSamples.Segment, Path.Combine(disk.Path, "RECOVERYXLOG")));
        Assert.Equal("WalDestinationUnwritable", error.Id);
        Assert.Equal(126, RestoreCommand.ExitCodeOf(error, standby: true));
        Assert.Empty(Directory.GetFiles(disk.Path));
    }
}
