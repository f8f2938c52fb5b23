using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Tests.Wal.Receiving;
using PgBackup.Wal.Status;

namespace PgBackup.Tests.Wal.Status;

/// <summary>What the watchman says of a receiver that is connected, but whose store refuses.</summary>
public sealed class WatchedReceiverTests
{
    [Fact]
    public async Task AReceiverThatCannotStoreDoesNotKeepUp()
    {
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        bool refuses = false;
        var store = new StoreWithHook(lab.Repository.Store, _ => Task.CompletedTask)
        {
            BeforeCreating = key => refuses ? throw PgErrors.StorageWriteFailed("the bucket", key, new IOException("no room")) : Task.CompletedTask,
        };
        await using RunningReceiver receiver = lab.Receive(repository: new BackupRepository(store, null, CompressionMethod.Zstd));
        await receiver.SaidAsync("Receiving timeline");
        await lab.WriteAsync(rows: 20);
        await lab.CaughtUpAsync();
        WalArchiveStatus well = await LookAsync(lab);
        Assert.Equal((WalArchiveHealth.Ok, WalArchiveMethod.Streaming, ""), (well.Status, well.Method, string.Join('\n', well.Reasons)));

        refuses = true;
        while ((await LookAsync(lab)).LagSegments <= 10)
            await lab.WriteAsync(rows: 2000, size: 400);

        WalArchiveStatus behind = await LookAsync(lab);
        Assert.Equal(WalArchiveHealth.Failure, behind.Status);
        Assert.Contains(behind.Reasons, r => r.Contains("does not keep up", StringComparison.Ordinal));
        Assert.True(Assert.Single(behind.Slots).IsActive);
        Assert.NotEmpty(behind.Receivers);
        await receiver.SaidAsync("cannot be stored");

        refuses = false;
        await lab.CaughtUpAsync();
        Assert.Equal(WalArchiveHealth.Ok, (await LookAsync(lab)).Status);
        await receiver.StopAsync();
        Assert.True(await lab.AssertEqualsServerAsync() > 10);
    }

    private static async Task<WalArchiveStatus> LookAsync(ReceiveLab lab)
    {
        await using ServerSession session = await ServerSession.OpenAsync(ReceiveLab.SettingsFor(lab.Cluster.ConnectionString));
        return await WalArchiveStatusReader.ReadAsync(session, lab.Repository, new WalArchiveStatusOptions { Interval = TimeSpan.Zero });
    }
}
