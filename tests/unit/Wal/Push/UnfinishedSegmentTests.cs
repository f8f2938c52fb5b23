using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Wal.Receiving;
using PgBackup.Wal.Fetch;
using PgBackup.Wal.Push;

namespace PgBackup.Tests.Wal.Push;

/// <summary>What a standby with archive_mode = always pushes of a segment that it was given in pieces.</summary>
public sealed class UnfinishedSegmentTests : IAsyncLifetime
{
    private ReceiveLab _lab = null!;
    private string _name = "";

    public async Task InitializeAsync()
    {
        _lab = await ReceiveLab.StartAsync();
        await ReceiveAsync();
        _name = Path.GetFileName(await _lab.Cluster.ScalarAsync<string>("SELECT pg_walfile_name(pg_current_wal_lsn())"));
    }

    public async Task DisposeAsync() => await _lab.DisposeAsync();

    [Fact]
    public async Task WhatWasFetchedInPiecesIsNotStoredAsWhole()
    {
        string fetched = await FetchAsync();
        WalPushResult result = await WalPush.PushAsync(_lab.Repository, fetched);
        Assert.Equal(WalPushStatus.HeldInPieces, result.Status);
        Assert.StartsWith("pgbackup_v1/wal_pieces/", result.Key, StringComparison.Ordinal);
        Assert.False(IsWhole());

        // Older than the pieces by now, which is no conflict.
        await ReceiveAsync();
        Assert.Equal(WalPushStatus.HeldInPieces, (await WalPush.PushAsync(_lab.Repository, fetched)).Status);
        Assert.False(IsWhole());
    }

    [Fact]
    public async Task WhatThePiecesLackIsAddedToThem()
    {
        byte[] before = File.ReadAllBytes(await FetchAsync());
        await _lab.WriteAsync(rows: 20);
        string own = await CopyOfServersAsync();
        WalPushResult result = await WalPush.PushAsync(_lab.Repository, own);
        Assert.Equal(WalPushStatus.HeldInPieces, result.Status);
        byte[] after = File.ReadAllBytes(await FetchAsync());
        Assert.False(before.AsSpan().SequenceEqual(after));
        Assert.True(File.ReadAllBytes(own).AsSpan().SequenceEqual(after));
    }

    [Fact]
    public async Task AFinishedSegmentIsStoredThoughItHasPieces()
    {
        await _lab.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        WalPushResult result = await WalPush.PushAsync(_lab.Repository, await CopyOfServersAsync());
        Assert.Equal(WalPushStatus.Stored, result.Status);
        Assert.True(IsWhole());
    }

    [Fact]
    public async Task OtherContentThanThePiecesHoldIsRefused()
    {
        await _lab.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        string path = await CopyOfServersAsync();
        byte[] content = File.ReadAllBytes(path);
        content[9000] ^= 1;
        File.WriteAllBytes(path, content);
        Assert.Equal("WalContentConflict", (await Assert.ThrowsAsync<PgBackupException>(() => WalPush.PushAsync(_lab.Repository, path))).Id);
        Assert.False(IsWhole());
    }

    [Fact]
    public async Task AStandbyThatArchivesAlwaysLeavesTheSegmentToTheReceiver()
    {
        string fetched = await FetchAsync();
        await WalPush.PushAsync(_lab.Repository, fetched);
        await _lab.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        await ReceiveAsync();
        Assert.True(IsWhole());
        Assert.True(await _lab.AssertEqualsServerAsync() >= 1);
    }

    [Fact]
    public async Task ABackupDoesNotTakeAStandbyForAReceiver()
    {
        await _lab.Cluster.ExecuteAsync("SELECT pg_create_physical_replication_slot('standby')");
        await using PostgresCluster standby = await _lab.Cluster.RunStandbyAsync(new Dictionary<string, string> { ["primary_slot_name"] = "standby" });
        Assert.True(await _lab.Cluster.ScalarAsync<bool>("SELECT active FROM pg_replication_slots WHERE slot_name = 'standby'"));
        Assert.Equal("ArchivingNotEnabled", (await Assert.ThrowsAsync<PgBackupException>(() => _lab.BackupAsync())).Id);
        await using RunningReceiver receiver = _lab.Receive();
        await receiver.SaidAsync("Receiving timeline");
        await _lab.CaughtUpAsync();
        await _lab.BackupAsync();
        await receiver.StopAsync();
    }

    private async Task ReceiveAsync()
    {
        await using RunningReceiver receiver = _lab.Receive();
        await receiver.SaidAsync("Receiving timeline");
        await _lab.WriteAsync(rows: 5);
        await _lab.CaughtUpAsync();
        await receiver.StopAsync();
    }

    private async Task<string> FetchAsync()
    {
        Directory.CreateDirectory(_lab.Folder.Combine("standby"));
        string path = Path.Combine(_lab.Folder.Combine("standby"), _name);
        WalFetchResult fetched = await WalFetch.FetchAsync(_lab.Repository, _name, path);
        Assert.NotNull(fetched.EndLsn);
        return path;
    }

    private async Task<string> CopyOfServersAsync()
    {
        string folder = _lab.Folder.Combine("copy");
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, _name);
        await using FileStream target = File.Create(path);
        await using var source = new FileStream(Path.Combine(_lab.Cluster.DataDirectory, "pg_wal", _name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        await source.CopyToAsync(target);
        return path;
    }

    private bool IsWhole() => File.Exists(Path.Combine(_lab.RepositoryPath, "wal_005", _name + ".zst"));
}
