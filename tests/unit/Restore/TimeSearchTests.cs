using FsCheck;
using FsCheck.Fluent;
using PgBackup.Restore.Planning;

namespace PgBackup.Tests.Restore;

/// <summary>The search for the stop of a recovery to a time, against reading everything from the start.</summary>
public sealed class TimeSearchTests
{
    private static readonly DateTimeOffset s_zero = new(2026, 3, 29, 0, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ItFindsWhatAServerThatReplaysEverythingStopsAt(bool exclusive)
    {
        int looks = 0, stops = 0;
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
        {
            var random = new Random(seed);
            DateTimeOffset[][] segments = History(random);
            int from = random.Next(0, segments.Length);
            DateTimeOffset[] all = [.. segments.SelectMany(s => s)];
            // Most of the time a time that a transaction ended at, or next to it.
            DateTimeOffset time = all.Length > 0 && random.Next(4) > 0
                ? all[random.Next(all.Length)].AddMicroseconds(random.Next(-1, 2))
                : s_zero.AddSeconds(random.Next(-100, 10_000));
            RestoreTarget target = RestoreTarget.AtTime(time, exclusive);

            (int Segment, int Index)? simulated = FirstStop(segments, from, target);
            int begin = (int)TimeSearch.FindBeginAsync((ulong)from, (ulong)from, (ulong)segments.Length - 1, target.Time!.Value, (number, last) =>
            {
                looks++;
                int at = Array.FindIndex(segments, (int)number, (int)(last - number) + 1, s => s.Length > 0);
                return Task.FromResult<(ulong, DateTimeOffset?)>(at < 0 ? (last, null) : ((ulong)at, segments[at][0]));
            }).AsTask().GetAwaiter().GetResult();
            Assert.True(begin >= from);
            Assert.Equal(simulated, FirstStop(segments, begin, target));
            stops += simulated is null ? 0 : 1;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
        Assert.True(stops > 500, $"Only {stops} histories had a stop.");
        Assert.True(looks < 2000 * 7, $"{looks} segments were looked into.");
    }

    // As the server does: record by record, from the first to the one that it stops before.
    private static (int, int)? FirstStop(DateTimeOffset[][] segments, int from, RestoreTarget target)
    {
        for (int segment = from; segment < segments.Length; segment++)
        {
            for (int i = 0; i < segments[segment].Length; i++)
            {
                DateTimeOffset time = segments[segment][i];
                if (target.IsExclusive ? time >= target.Time!.Value : time > target.Time!.Value)
                    return (segment, i);
            }
        }
        return null;
    }

    // Segments with few transactions, many, and none; each transaction at most the bound later than one that stands after it.
    private static DateTimeOffset[][] History(Random random)
    {
        var segments = new DateTimeOffset[random.Next(1, 40)][];
        DateTimeOffset clock = s_zero;
        int disorder = (int)TimeSearch.Disorder.TotalMilliseconds * random.Next(0, 2);
        for (int i = 0; i < segments.Length; i++)
        {
            segments[i] = new DateTimeOffset[random.Next(3) == 0 ? 0 : random.Next(1, 6)];
            for (int j = 0; j < segments[i].Length; j++)
            {
                clock += TimeSpan.FromSeconds(random.Next(5) == 0 ? random.Next(0, 600) : random.Next(0, 20));
                segments[i][j] = clock + TimeSpan.FromMilliseconds(random.Next(0, disorder + 1));
            }
        }
        return segments;
    }
}
