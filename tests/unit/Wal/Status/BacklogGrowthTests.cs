using FsCheck;
using FsCheck.Fluent;
using PgBackup.Wal.Status;
using static PgBackup.Tests.Wal.Status.StatusSamples;

namespace PgBackup.Tests.Wal.Status;

public sealed class BacklogGrowthTests
{
    [Fact]
    public void FilesThatNobodyTakesTellTheirGrowthByThemselves()
    {
        ServerFacts stuck = Server with { Archiver = Server.Archiver with { LastArchivedTime = Now.AddHours(-2) }, Ready = new ReadyFacts(60, Now.AddHours(-1), null) };
        Assert.Equal(60L * (16 << 20) / 3600, BacklogGrowth.FromOneLook(stuck)!.Value);
        Assert.Null(BacklogGrowth.FromOneLook(stuck with { Ready = new ReadyFacts(1, Now.AddSeconds(-5), null) }));
        Assert.Null(BacklogGrowth.FromOneLook(stuck with { Archiver = Server.Archiver }));
        Assert.Null(BacklogGrowth.FromOneLook(Server));
        Assert.False(BacklogGrowth.NeedsSecondLook(Server));
        Assert.True(BacklogGrowth.NeedsSecondLook(Server with { Ready = new ReadyFacts(2, Now, null) }));
    }

    [Fact]
    public void ASlotThatHoldsBackMakesWhateverIsWrittenGrowth()
    {
        ServerFacts held = Server with { Slots = [Slot(lag: 1 << 30, active: false)] };
        Assert.True(BacklogGrowth.NeedsSecondLook(held));
        Assert.Equal(1 << 20, BacklogGrowth.FromTwoLooks(held, new WalMoment(Now, new Lsn(0), 0), new WalMoment(Now.AddSeconds(2), new Lsn(2 << 20), 5)));
    }

    /// <summary>What is written and not archived is growth; less than a segment either way is none, because archiving counts by segments.</summary>
    [Fact]
    public void GrowthIsWhatIsWrittenLessWhatIsArchived()
    {
        Gen<(int Written, int Archived, int Seconds)> looks =
            from written in Gen.Choose(0, 1000)
            from archived in Gen.Choose(0, 60)
            from seconds in Gen.Choose(1, 60)
            select (written, archived, seconds);
        Prop.ForAll(looks.ToArbitrary(), look =>
        {
            long written = (long)look.Written << 20, archived = (long)look.Archived << 24;
            long growth = BacklogGrowth.FromTwoLooks(Server, new WalMoment(Now, new Lsn(5), 3), new WalMoment(Now.AddSeconds(look.Seconds), new Lsn(5 + (ulong)written), 3 + look.Archived))!.Value;
            return look.Archived > 0 && Math.Abs(written - archived) < 1 << 24 ? growth == 0 : growth == (long)((written - archived) / (double)look.Seconds);
        }).QuickCheckThrowOnFailure();
        Assert.Null(BacklogGrowth.FromTwoLooks(Server, new WalMoment(Now, new Lsn(5), 3), new WalMoment(Now, new Lsn(5), 3)));
        Assert.Null(BacklogGrowth.FromTwoLooks(Server, new WalMoment(Now, new Lsn(5), 3), new WalMoment(Now.AddSeconds(1), new Lsn(5), 0)));
    }
}
