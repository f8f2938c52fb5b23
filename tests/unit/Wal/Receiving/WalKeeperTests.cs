using PgBackup.Repository;
using PgBackup.Repository.Pieces;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Push;
using PgBackup.Wal.Receiving;

namespace PgBackup.Tests.Wal.Receiving;

/// <summary>What is put into the repository of a timeline that begins within a segment.</summary>
public sealed class WalKeeperTests : IDisposable
{
    private const string Segment = "000000020000000000000003";
    private const int Switch = 500_000;

    private static readonly WalSegmentSize s_size = new(1 << 20);

    private readonly TempFolder _folder = new();
    private readonly BackupRepository _repository;
    private readonly byte[] _content = WalSamples.SegmentBytes(Segment, s_size.Bytes, pageTimeline: 1);

    public WalKeeperTests() => _repository = WalSamples.Repository(_folder.Combine("repo"));

    public void Dispose() => _folder.Dispose();

    /// <summary>The parent's pieces reach to the switch point; shorter ones of the new timeline, which goes before its parent, would hide what they hold.</summary>
    [Theory]
    [InlineData(Switch - 1, false)]
    [InlineData(Switch, true)]
    [InlineData(Switch + 1, true)]
    public async Task BeforeItsSwitchPointNothingOfATimelineIsStored(int received, bool isStored)
    {
        var options = new WalReceiveOptions { Server = new(), Slot = "test", MaxLag = TimeSpan.FromMilliseconds(1) };
        var source = new ClusterSource("server", WalSamples.Cluster, 15, s_size);
        using var keeper = new WalKeeper(_repository, new WalPush(_repository), source, options, _folder.Path, _ => { }, OperationLog.None);
        WalSegmentName segment = WalSegmentName.Parse(Segment);
        Lsn start = segment.StartFor(s_size);
        await keeper.BeginAsync(segment, start + Switch, CancellationToken.None);
        // In two parts: a piece ends where something was received.
        await keeper.AppendAsync(start, _content.AsMemory(0, 300_000), CancellationToken.None);
        await keeper.AppendAsync(start + 300_000, _content.AsMemory(300_000, received - 300_000), CancellationToken.None);
        keeper.Demand();
        keeper.End();

        await keeper.RunAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));

        List<WalPiece> pieces = await WalPieces.ListAsync(_repository, WalSamples.Cluster, segment, CancellationToken.None);
        Assert.Equal(isStored ? [(0, received)] : [], pieces.Select(p => (p.Start, p.End)));
        Assert.Equal(isStored ? start + (ulong)received : start, keeper.Durable);
    }

    [Fact]
    public async Task WithoutASwitchPointTheFirstBytesAreStored()
    {
        var options = new WalReceiveOptions { Server = new(), Slot = "test" };
        using var keeper = new WalKeeper(_repository, new WalPush(_repository), new ClusterSource("server", WalSamples.Cluster, 15, s_size), options, _folder.Path, _ => { }, OperationLog.None);
        WalSegmentName segment = WalSegmentName.Parse(WalSamples.Segment);
        await keeper.BeginAsync(segment, null, CancellationToken.None);
        await keeper.AppendAsync(segment.StartFor(s_size), WalSamples.SegmentBytes(WalSamples.Segment).AsMemory(0, 10_000), CancellationToken.None);
        keeper.End();
        await keeper.RunAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(10_000, Assert.Single(await WalPieces.ListAsync(_repository, WalSamples.Cluster, segment, CancellationToken.None)).End);
    }
}
