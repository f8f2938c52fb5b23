using PgBackup.Postgres.Files;
using PgBackup.Postgres.Replication;
using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Receiving;

namespace PgBackup.Tests.Wal.Receiving;

/// <summary>Where receiving begins, by what the archive's names say.</summary>
public sealed class ReceiveStartTests : IDisposable
{
    private static readonly WalSegmentSize s_size = new(1 << 20);
    private static readonly TimelineId s_second = new(2);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private async Task<WalSegmentName> FindAsync(PhysicalSlot slot, params string[] held)
    {
        BackupRepository repository = WalSamples.Repository(_folder.Combine("repo"));
        foreach (string name in held)
            WalSamples.WriteFile(Path.Combine(repository.Location, RepositoryLayout.WalFolder), name + ".zst", [1]);
        // Promoted within segment 10.
        TimelineHistory history = TimelineHistory.Of(s_second, [new TimelineSwitch(TimelineId.First, s_size.StartOf(10) + 500, "promoted")]);
        return ReceiveStart.Find(history, await WalInventory.LoadAsync(repository), slot, s_size.StartOf(13), s_size);
    }

    private static string Name(uint timeline, ulong number) => WalSegmentName.Of(new TimelineId(timeline), number, s_size).ToString();

    [Theory]
    [InlineData(1)]
    [InlineData(null)] // As of a server that does not tell it.
    public async Task AHoleBeforeTheNewestTimelineIsFilled(int? timeline)
    {
        var slot = new PhysicalSlot(s_size.StartOf(7), timeline is { } told ? new TimelineId((uint)told) : null);
        WalSegmentName start = await FindAsync(slot, Name(1, 6), Name(1, 7), Name(2, 10), Name(2, 11));
        Assert.Equal(Name(1, 8), start.ToString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WithoutAHoleItGoesOnBehindTheNewest(bool slotTells)
    {
        var slot = new PhysicalSlot(slotTells ? s_size.StartOf(7) : null, null);
        WalSegmentName start = await FindAsync(slot, Name(1, 7), Name(1, 8), Name(1, 9), Name(2, 10), Name(2, 11));
        Assert.Equal(Name(2, 12), start.ToString());
    }

    [Fact]
    public async Task WhereTheSlotTellsNothingTheParentMustReachTheSwitch()
    {
        WalSegmentName start = await FindAsync(new PhysicalSlot(null, null), Name(1, 7), Name(1, 8), Name(2, 10), Name(2, 11));
        Assert.Equal(Name(1, 9), start.ToString());
    }
}
