using FsCheck;
using FsCheck.Fluent;
using PgBackup.Errors;
using PgBackup.Postgres.Files;

namespace PgBackup.Tests.Postgres;

public sealed class TimelineHistoryTests
{
    private static readonly TimelineId s_five = new(5);

    private static readonly TimelineHistory s_history = TimelineHistory.Parse(
        s_five, "# a comment\n1\t0/3000000\tno recovery target specified\n\n   \n3\t0/5000028\tat restore point \"a\u2028b\"\n4 0/5000028\n");

    private static Gen<TimelineHistory> Histories =>
        from steps in Gen.ListOf(
            from skip in Gen.Choose(1, 4)
            from distance in Gen.Choose(0, int.MaxValue)
            from reason in Gen.Elements("", "no recovery target specified", "before 2026-01-01 00:00:00+00", "at restore point \"x\ty\"")
            select (skip, distance, reason))
        select Build([.. steps]);

    [Fact]
    public void Comments_and_empty_lines_are_skipped()
    {
        Assert.Equal(3, s_history.Switches.Count);
        Assert.Equal("at restore point \"a\u2028b\"", s_history.Switches[1].Reason);
        Assert.Equal([1u, 3u, 4u, 5u], s_history.Path.Select(s => s.Timeline.Value));
        Assert.Equal(Lsn.Parse("0/5000028"), s_history.SwitchPointOf(new TimelineId(3)));
        Assert.Null(s_history.SwitchPointOf(s_five));
        Assert.Null(s_history.SpanOf(new TimelineId(2)));
    }

    [Fact]
    public void The_switch_point_belongs_to_the_new_timeline()
    {
        Assert.Equal(1u, s_history.TimelineAt(Lsn.Parse("0/2FFFFFF")).Value);
        Assert.Equal(3u, s_history.TimelineAt(Lsn.Parse("0/3000000")).Value);
        // Timeline 4 was left where it began: it wrote nothing.
        Assert.Equal(5u, s_history.TimelineAt(Lsn.Parse("0/5000028")).Value);
        Assert.True(s_history.Includes(new TimelineId(1), Lsn.Parse("0/3000000")));
        Assert.False(s_history.Includes(new TimelineId(1), Lsn.Parse("0/3000001")));
        Assert.False(s_history.Includes(new TimelineId(2), Lsn.Parse("0/1000000")));
    }

    [Theory]
    [InlineData(2, "000000010000000000000002")]
    [InlineData(3, "000000030000000000000003")]
    [InlineData(4, "000000030000000000000004")]
    [InlineData(5, "000000050000000000000005")]
    [InlineData(9, "000000050000000000000009")]
    public void A_segment_with_a_switch_point_is_taken_from_the_new_timeline(ulong number, string name) =>
        Assert.Equal(name, s_history.SegmentFor(number, WalSegmentSize.Default).ToString());

    [Fact]
    public void Histories_come_back_as_they_were() => Prop.ForAll(
        Arb.From(Histories), history => TimelineHistory.Parse(history.Timeline, history.Format()) == history).QuickCheckThrowOnFailure();

    [Fact]
    public void The_path_has_no_gaps() => Prop.ForAll(
        Arb.From(Histories),
        history =>
        {
            Lsn next = Lsn.Zero;
            foreach (TimelineSpan span in history.Path)
            {
                if (span.Start != next || (span.End is { } end && end > span.Start && history.TimelineAt(end - 1) != span.Timeline))
                    return false;
                next = span.End ?? next;
            }
            return history.TimelineAt(new Lsn(ulong.MaxValue)) == history.Timeline;
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("x\t0/3000000\treason\n")]
    [InlineData("1\n")]
    [InlineData("1\tnonsense\treason\n")]
    [InlineData("0\t0/3000000\treason\n")]
    [InlineData("2\t0/3000000\ta\n1\t0/4000000\tb\n")]
    [InlineData("1\t0/3000000\ta\n2\t0/2000000\tb\n")]
    [InlineData("5\t0/3000000\ta\n")]
    [InlineData("6\t0/3000000\ta\n")]
    public void Damaged_files_are_refused(string text) =>
        Assert.Equal("TimelineHistoryInvalid", Assert.Throws<PgBackupException>(() => TimelineHistory.Parse(s_five, text)).Id);

    private static TimelineHistory Build((int Skip, int Distance, string Reason)[] steps)
    {
        List<TimelineSwitch> switches = [];
        uint timeline = 0;
        Lsn at = Lsn.Zero;
        foreach ((int skip, int distance, string reason) in steps)
        {
            timeline += (uint)skip;
            at += (ulong)distance;
            switches.Add(new TimelineSwitch(new TimelineId(timeline), at, reason));
        }
        return TimelineHistory.Of(new TimelineId(timeline + 1), switches);
    }
}
