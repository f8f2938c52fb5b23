using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Replication;
using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Postgres;
using PgBackup.Wal.Push;
using PgBackup.Wal.Receiving;

namespace PgBackup.Tests.Wal.Receiving;

/// <summary>Histories of timelines: stored before any WAL of theirs, compared once in a run, and never replaced by another past.</summary>
public sealed class HistoryKeeperTests
{
    private static readonly TimelineId s_second = new(2);

    [Fact]
    public async Task ARunComparesAHistoryOnceAndAnotherPastIsAConflict()
    {
        using var folder = new TempFolder();
        int opened = 0;
        BackupRepository plain = WalSamples.Repository(folder.Combine("repo"));
        BackupRepository repository = plain with
        {
            Store = new StoreWithHook(plain.Store, key =>
            {
                if (key.Contains(s_second.HistoryFileName, StringComparison.Ordinal))
                    opened++;
                return Task.CompletedTask;
            }),
        };
        await using PostgresCluster cluster = await PromotedAsync("");
        await using ReplicationConnection connection = await ReplicationConnection.OpenAsync(ReceiveLab.SettingsFor(cluster.ConnectionString));
        var told = new List<ReceivedWal>();
        HistoryKeeper NewRun() => new(repository, new WalPush(repository), folder.Path, told.Add, OperationLog.None);

        TimelineHistory history = await NewRun().LearnAsync(connection, s_second, CancellationToken.None);
        Assert.Single(history.Switches);
        Assert.Equal(s_second.HistoryFileName, Assert.Single(told).Name);

        // Another run compares what is stored, tells nothing of it, and does not look again when it connects anew.
        HistoryKeeper second = NewRun();
        opened = 0;
        await second.LearnAsync(connection, s_second, CancellationToken.None);
        Assert.InRange(opened, 1, int.MaxValue);
        opened = 0;
        for (int i = 0; i < 3; i++)
            Assert.Equal(history.Path, (await second.LearnAsync(connection, s_second, CancellationToken.None)).Path);
        Assert.Equal(0, opened);
        Assert.Single(told);

        // A server that was promoted beside it: within a run it differs from what was learned, in another from what is stored.
        await using PostgresCluster other = await PromotedAsync("SELECT pg_logical_emit_message(true, 'more', repeat('y', 100000))");
        await using ReplicationConnection elsewhere = await ReplicationConnection.OpenAsync(ReceiveLab.SettingsFor(other.ConnectionString));
        PgBackupException within = await Assert.ThrowsAsync<PgBackupException>(() => second.LearnAsync(elsewhere, s_second, CancellationToken.None));
        Assert.Equal("WalContentConflict", within.Id);
        Assert.Contains("tells another past of timeline 2", within.Message, StringComparison.Ordinal);
        Assert.Equal(0, opened);
        Assert.Equal("WalContentConflict", (await Assert.ThrowsAsync<PgBackupException>(() => NewRun().LearnAsync(elsewhere, s_second, CancellationToken.None))).Id);
        Assert.Equal(history.Path, (await WalArchive.ReadHistoryAsync(plain, s_second))!.Path);
        Assert.Single(told);
    }

    // Copies of one template: the same identity, and each its own point of promotion.
    private static async Task<PostgresCluster> PromotedAsync(string before)
    {
        PostgresCluster cluster = await PostgresCluster.RunAsync(ReceiveLab.SmallSegments());
        if (before.Length > 0)
            await cluster.ExecuteAsync(before);
        await WalLoad.PromoteAsync(cluster);
        return cluster;
    }
}
