using System.Text;
using FsCheck;
using FsCheck.Fluent;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Wal.Integrity;

namespace PgBackup.Tests.Wal.Integrity;

/// <summary>Random trees of timelines with random segments missing, held against a model that asks for one number after the other, as wal-g does.</summary>
public sealed class LogPathPropertyTests
{
    private const int Numbers = 40;

    private static readonly WalSegmentSize s_size = WalSegmentSize.Default;

    /// <summary>A cluster's past: of each timeline the parent and the switch point, and which of its segments are there.</summary>
    private sealed record Past(TimelineHistory[] Histories, bool[][] There);

    [Fact]
    public void EverySegmentHasTheStateThatCountingOneByOneGivesIt()
    {
        Gen<(Past Past, int From, int MaxDelayed, int Window)> cases =
            from past in Pasts()
            from start in Gen.Choose(1, Numbers)
            from delayed in Gen.Elements(0, 0, 1, 3)
            from window in Gen.Elements(0, 2, 16)
            select (past, start, delayed, window);
        Prop.ForAll(cases.ToArbitrary(), c =>
        {
            MemoryStore store = StoreOf(c.Past);
            var repository = new BackupRepository(store, null);
            for (int i = 0; i < c.Past.Histories.Length; i++)
            {
                SortedDictionary<int, (uint Timeline, WalSegmentState State)> expected = Model(c.Past, c.Past.Histories[i], c.From, c.MaxDelayed, c.Window);
                var options = new WalCheckOptions
                {
                    Timeline = new TimelineId((uint)i + 1),
                    From = new WalPosition(null, WalSegmentName.Of(TimelineId.First, (ulong)c.From, s_size)),
                    MaxDelayed = c.MaxDelayed,
                    UploadWindow = c.Window,
                };
                if (expected.Count == 0)
                {
                    // There is nothing, or nothing as new.
                    Assert.ThrowsAny<Errors.PgBackupException>(() => Check(repository, options));
                    continue;
                }
                WalArchiveCheck check = Check(repository, options);
                Assert.Equal(expected.Select(e => $"{e.Value.Timeline}/{e.Key} {e.Value.State}"), check.Ranges.SelectMany(One));
                Assert.Equal(expected.Count, check.Count);
                Assert.Equal(expected.Values.Count(v => v.State != WalSegmentState.Found), check.MissingCount);
                Assert.Equal(expected.Values.Any(v => v.State == WalSegmentState.Lost), check.Status == WalCheckStatus.Failure);
                // Ranges are as long as they can be.
                foreach ((WalSegmentRange a, WalSegmentRange b) in check.Ranges.Zip(check.Ranges.Skip(1)))
                    Assert.False(a.State == b.State && a.Timeline == b.Timeline, $"{a} and {b}");
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));
    }

    /// <summary>Every segment that is there is in exactly one range, and with its own name among the single ones.</summary>
    [Fact]
    public void NothingIsListedTwiceOrLeftOut()
    {
        Prop.ForAll(Pasts().ToArbitrary(), past =>
        {
            var repository = new BackupRepository(StoreOf(past), null);
            List<WalSegmentRange> ranges = ToList(WalSegmentLister.ListRangesAsync(repository));
            string[] there = [.. past.There.SelectMany((t, i) => Enumerable.Range(0, Numbers + 1).Where(n => t[n]).Select(n => $"{i + 1}/{n} Found"))];
            Assert.Equal(there, ranges.Where(r => !r.IsGap).SelectMany(One));
            Assert.Equal(there.Length, ToList(WalSegmentLister.ListSegmentsAsync(repository)).Select(s => s.Name).Distinct().Count());
            string[] all = [.. ranges.SelectMany(One).Select(s => s.Split(' ')[0])];
            Assert.Equal(all.Length, all.Distinct().Count());
            Assert.All(ranges.Where(r => r.IsGap), r => Assert.Equal(WalSegmentState.Missing, r.State));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(150));
    }

    private static Gen<Past> Pasts() =>
        from count in Gen.Choose(1, 5)
        from parents in Gen.ArrayOf(Gen.Choose(0, 1000), 5)
        from steps in Gen.ArrayOf(Gen.Choose(0, 12), 5)
        from offsets in Gen.ArrayOf(Gen.Choose(0, 4), 5)
        from holes in Gen.ArrayOf(Gen.Choose(0, 3), 5)
        from seed in Gen.Choose(0, int.MaxValue - 1)
        select Build(count, parents, steps, offsets, holes, seed);

    private static Past Build(int count, int[] parents, int[] steps, int[] offsets, int[] holes, int seed)
    {
        var random = new Random(seed);
        var histories = new TimelineHistory[count];
        bool[][] there = new bool[count][];
        for (int i = 0; i < count; i++)
        {
            TimelineSwitch[] switches = [];
            if (i > 0)
            {
                TimelineHistory parent = histories[parents[i] % i];
                ulong before = parent.Switches.Count > 0 ? parent.Switches[^1].SwitchPoint.Value : 1u << 24;
                // A step of 0 is a second switch inside one segment; an offset of 0 a switch at a border.
                ulong number = before / (1u << 24) + (ulong)steps[i];
                ulong point = Math.Max(before, (number << 24) + (ulong)offsets[i] * 0x1000);
                switches = [.. parent.Switches, new TimelineSwitch(parent.Timeline, new Lsn(point), "test")];
            }
            histories[i] = TimelineHistory.Of(new TimelineId((uint)i + 1), switches);
            there[i] = new bool[Numbers + 1];
            int first = i == 0 ? 1 : (int)(switches[^1].SwitchPoint.Value >> 24);
            int last = Math.Min(Numbers, first + random.Next(0, 20));
            for (int n = first; n <= last; n++)
                there[i][n] = random.Next(10) >= holes[i];
        }
        return new Past(histories, there);
    }

    private static MemoryStore StoreOf(Past past)
    {
        var store = new MemoryStore();
        for (int i = 0; i < past.Histories.Length; i++)
        {
            if (past.Histories[i].Switches.Count > 0)
                store.Put(RepositoryLayout.WalFolder + past.Histories[i].Timeline.HistoryFileName, Encoding.UTF8.GetBytes(past.Histories[i].Format()));
            for (int n = 0; n <= Numbers; n++)
            {
                if (past.There[i][n])
                    store.Put(RepositoryLayout.WalFolder + WalSegmentName.Of(past.Histories[i].Timeline, (ulong)n, s_size) + ".zst", [1]);
            }
        }
        return store;
    }

    private static SortedDictionary<int, (uint, WalSegmentState)> Model(Past past, TimelineHistory history, int from, int maxDelayed, int window)
    {
        var found = new Dictionary<int, uint>();
        int last = 0;
        for (int n = 0; n <= Numbers; n++)
        {
            if (past.There[(int)TimelineOf(n) - 1][n])
                (found[n], last) = (TimelineOf(n), n);
        }
        // What the parent's segment holds of the log before the switch, when nothing newer is there.
        foreach (TimelineSpan span in history.Path)
        {
            int n = span.End is { } end ? (int)((end.Value - 1) >> 24) : 0;
            if (n > last && n <= Numbers && past.There[(int)span.Timeline.Value - 1][n])
                (found[n], last) = (span.Timeline.Value, n);
        }
        var states = new SortedDictionary<int, (uint, WalSegmentState)>();
        int number = last;
        for (int i = 0; i < maxDelayed && number >= from; i++)
        {
            bool there = found.ContainsKey(number);
            Say(there ? WalSegmentState.Found : WalSegmentState.Delayed);
            if (there)
                break;
        }
        for (int i = 0; i < window && number >= from; i++)
            Say(found.ContainsKey(number) ? WalSegmentState.Found : WalSegmentState.Uploading);
        while (number >= from)
            Say(found.ContainsKey(number) ? WalSegmentState.Found : WalSegmentState.Lost);
        return states;

        void Say(WalSegmentState state)
        {
            states[number] = (found.TryGetValue(number, out uint timeline) ? timeline : TimelineOf(number), state);
            number--;
        }

        uint TimelineOf(int n)
        {
            uint timeline = history.Path[0].Timeline.Value;
            foreach (TimelineSpan span in history.Path.Skip(1))
            {
                if ((int)(span.Start.Value >> 24) <= n)
                    timeline = span.Timeline.Value;
            }
            return timeline;
        }
    }

    private static IEnumerable<string> One(WalSegmentRange range)
    {
        for (ulong n = range.First.NumberFor(s_size); n <= range.Last.NumberFor(s_size); n++)
            yield return $"{range.Timeline}/{n} {range.State}";
    }

    private static WalArchiveCheck Check(BackupRepository repository, WalCheckOptions options) => Assert.Single(ToList(WalArchiveChecker.RunAsync(repository, options)));

    private static List<T> ToList<T>(IAsyncEnumerable<T> items) => items.ToListAsync().AsTask().GetAwaiter().GetResult();
}
