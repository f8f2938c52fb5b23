using PgBackup.Repository;

namespace PgBackup.Tests.Wal.Receiving;

/// <summary>The log of another cluster in the same archive, as pg_upgrade and initdb leave it.</summary>
public sealed class ReceiveLineageTests
{
    [Fact]
    public async Task WhatAnotherClusterStoredSaysNothingOfWhereToGoOn()
    {
        var size = new WalSegmentSize(1 << 20);
        await using ReceiveLab lab = await ReceiveLab.StartAsync();
        await using (RunningReceiver first = lab.Receive())
        {
            await lab.WriteAsync(rows: 1500, size: 400);
            await lab.CaughtUpAsync();
            await first.StopAsync();
        }
        // A slot that has kept nothing yet does not tell where to go on: the archive alone does.
        await lab.Cluster.ExecuteAsync($"SELECT pg_drop_replication_slot('{ReceiveLab.Slot}'); SELECT pg_create_physical_replication_slot('{ReceiveLab.Slot}')");
        // Of the same timeline, and far ahead of this one.
        foreach (ulong number in (ulong[])[0x70, 0x71, 0x72])
        {
            string name = WalSegmentName.Of(TimelineId.First, number, size).ToString();
            WalSamples.WriteSegment(Path.Combine(lab.RepositoryPath, RepositoryLayout.WalFolder), name);
        }
        await using RunningReceiver second = lab.Receive();
        await second.SaidAsync("Receiving timeline");
        await lab.WriteAsync(rows: 1500, size: 400);
        await lab.CaughtUpAsync();
        await second.StopAsync();
        Assert.Contains(second.Lines, line => line.Contains("The repository holds pieces of", StringComparison.Ordinal));
        Assert.True(await lab.AssertEqualsServerAsync() >= 1);
    }
}
