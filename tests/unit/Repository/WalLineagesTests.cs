using FsCheck;
using FsCheck.Fluent;
using PgBackup.Codecs;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Wal;

namespace PgBackup.Tests.Repository;

/// <summary>The logs of several clusters under names that do not tell them apart.</summary>
public sealed class WalLineagesTests
{
    private static readonly WalSegmentSize s_size = new(1 << 20);

    /// <summary>Whatever the clusters' shares of a timeline, and whichever segments are gone or cannot be read: each gets its own, and what nobody can be said to have written.</summary>
    [Fact]
    public void EachClusterGetsWhatItWrote()
    {
        // For each timeline, from below: how many segments each cluster wrote (0 for none), how many numbers are left out between them.
        Gen<(ulong Cluster, int Count, int Gap)> share =
            from cluster in Gen.Choose(1, 3)
            from count in Gen.Choose(0, 12)
            from gap in Gen.Choose(0, 2)
            select ((ulong)cluster, count, gap);
        Gen<(ulong Cluster, int Count, int Gap)[][]> archive = Gen.ArrayOf(Gen.ArrayOf(share, 3).Select(s => s.DistinctBy(x => x.Cluster).ToArray()), 2);
        Prop.ForAll(archive.ToArbitrary(), timelines =>
        {
            using var folder = new TempFolder();
            BackupRepository repository = WalSamples.Repository(folder.Combine("repo"), CompressionMethod.None);
            var written = new Dictionary<WalSegmentName, ulong>();
            for (uint timeline = 1; timeline <= timelines.Length; timeline++)
            {
                ulong number = 1;
                foreach ((ulong cluster, int count, int gap) in timelines[timeline - 1])
                {
                    for (int i = 0; i < count; i++, number++)
                        written[WalSegmentName.Of(new TimelineId(timeline), number, s_size)] = cluster;
                    number += (ulong)gap;
                }
            }
            foreach ((WalSegmentName name, ulong cluster) in written)
                Write(repository, name, cluster);

            WalInventory inventory = WalInventory.LoadAsync(repository).Result;
            WalLineages lineages = WalLineages.ReadAsync(repository, inventory, new HashSet<ulong> { 1, 2, 3 }, default).Result;
            for (ulong cluster = 1; cluster <= 3; cluster++)
            {
                WalInventory own = lineages.Of(cluster);
                foreach ((WalSegmentName name, ulong writer) in written)
                    Assert.Equal(writer == cluster, own.Contains(name));
                Assert.Equal(written.Where(w => w.Value == cluster).Select(w => w.Key.Timeline).Distinct().Order(), own.Timelines);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(40));
    }

    [Fact]
    public async Task WhatCannotBeReadIsNobodysAndStaysWithEveryone()
    {
        using var folder = new TempFolder();
        BackupRepository repository = WalSamples.Repository(folder.Combine("repo"), CompressionMethod.None);
        for (ulong number = 1; number <= 9; number++)
            Write(repository, Name(1, number), number <= 5 ? 1u : 2u);
        WalSamples.WriteFile(Path.Combine(repository.Location, RepositoryLayout.WalFolder), Name(1, 7).ToString(), new byte[10]);
        WalInventory inventory = await WalInventory.LoadAsync(repository);
        WalLineages lineages = await WalLineages.ReadAsync(repository, inventory, new HashSet<ulong> { 1 }, default);
        Assert.Equal([1, 2, 3, 4, 5], Numbers(lineages.Of(1)));
        Assert.Equal([6, 7, 8, 9], Numbers(lineages.Of(2)));

        List<int> Numbers(WalInventory own) => [.. Enumerable.Range(1, 9).Where(n => own.Contains(Name(1, (ulong)n)))];
    }

    [Theory]
    // The timeline's own first segment tells, then whatever is left of the timeline, then the parent's log.
    [InlineData("2:5-7=2", 5, 2)]
    [InlineData("2:8-9=2", 5, 2)]
    [InlineData("1:1-5=1 1:6-9=2", 5, 1)]
    [InlineData("1:1-5=1 1:6-9=2", 8, 2)]
    [InlineData("1:1-3=1 1:6-9=2", 5, 1)]
    // Nothing tells: the history stays with both.
    [InlineData("3:1-2=1 3:3-4=2", 5, 3)]
    public async Task AHistoryGoesWithTheLogAtItsSwitch(string archive, int switchSegment, int owners)
    {
        using var folder = new TempFolder();
        BackupRepository repository = WalSamples.Repository(folder.Combine("repo"), CompressionMethod.None);
        foreach (string part in archive.Split(' '))
        {
            uint[] numbers = [.. part.Split(':', '-', '=').Select(uint.Parse)];
            for (ulong number = numbers[1]; number <= numbers[2]; number++)
                Write(repository, Name(numbers[0], number), numbers[3]);
        }
        WalInventory inventory = await WalInventory.LoadAsync(repository);
        WalLineages lineages = await WalLineages.ReadAsync(repository, inventory, new HashSet<ulong> { 1, 2 }, default);
        TimelineHistory history = TimelineHistory.Of(new TimelineId(2), [new TimelineSwitch(TimelineId.First, s_size.StartOf((ulong)switchSegment) + 4096, "")]);
        Assert.Equal((owners & 1) != 0, lineages.MayBeOf(1, history, s_size));
        Assert.Equal((owners & 2) != 0, lineages.MayBeOf(2, history, s_size));
    }

    /// <summary>Where there is one cluster only, nothing is taken away, and no copy is made.</summary>
    [Fact]
    public async Task OneClusterKeepsTheWholeArchive()
    {
        using var folder = new TempFolder();
        BackupRepository repository = WalSamples.Repository(folder.Combine("repo"), CompressionMethod.None);
        for (ulong number = 1; number <= 20; number++)
            Write(repository, Name(1, number), 1);
        WalInventory inventory = await WalInventory.LoadAsync(repository);
        Assert.Same(inventory, (await WalLineages.ReadAsync(repository, inventory, new HashSet<ulong> { 1 }, default)).Of(1));
    }

    private static WalSegmentName Name(uint timeline, ulong number) => WalSegmentName.Of(new TimelineId(timeline), number, s_size);

    // The head is all that is looked at.
    private static void Write(BackupRepository repository, WalSegmentName name, ulong cluster) => WalSamples.WriteFile(
        Path.Combine(repository.Location, RepositoryLayout.WalFolder), name.ToString(), WalSamples.SegmentBytes(name.ToString(), s_size.Bytes, cluster: cluster).AsSpan(0, 64));
}
