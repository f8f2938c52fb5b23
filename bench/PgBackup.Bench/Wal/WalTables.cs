namespace PgBackup.Bench.Wal;

/// <summary>What was measured of WAL, by work and place.</summary>
internal sealed class WalTables
{
    public const string Ours = "pgbackup-wal";
    public const string Sync = "pgBackRest";
    public const string Async = "pgBackRest, async";

    public const string Single = "push, alone";
    public const string Backlog = "push of a backlog under load";
    public const string Answer = "push of what was stored ahead";
    public const string Fetch = "fetch, alone";
    public const string PacedFetch = "fetch of what was fetched ahead";
    public const string Replay = "replay";

    private static readonly string[] s_works = [Single, Backlog, Answer, Fetch, PacedFetch, Replay];

    private readonly Dictionary<(string Work, string Place), List<IReadOnlyList<Result>>> _rounds = [];
    private readonly Dictionary<(string Work, string Place), List<Result>> _current = [];
    private readonly Dictionary<(string Work, string Name), int> _segments = [];

    /// <summary>Takes a result; returns it in words.</summary>
    public string Add(string work, string place, WalContestant contestant, int segments, Measurement took)
    {
        if (!_current.TryGetValue((work, place), out List<Result>? results))
            _current[(work, place)] = results = [];
        results.Add(new Result(contestant.Name, took));
        _segments[(work, contestant.Name)] = segments;
        return $"{place,-9} {work,-32} {contestant.Name,-20} {took.Wall.TotalMilliseconds / segments,7:F1} ms a segment";
    }

    /// <summary>All have had their turn.</summary>
    public void EndRound()
    {
        foreach (((string, string) key, List<Result> results) in _current)
        {
            if (!_rounds.TryGetValue(key, out List<IReadOnlyList<Result>>? rounds))
                _rounds[key] = rounds = [];
            rounds.Add(results);
        }
        _current.Clear();
    }

    /// <summary>The tables and the goals.</summary>
    public void Print(Report report, long segmentBytes)
    {
        foreach (string place in _rounds.Keys.Select(static key => key.Place).Distinct())
        {
            foreach (string work in s_works.Where(work => _rounds.ContainsKey((work, place))))
                report.Segments($"{work} ({place})", Of(work, place), Segments(work), segmentBytes);
        }
        report.Goals([.. Goals()]);
    }

    private IEnumerable<Goal> Goals()
    {
        yield return new Goal("answer for what was stored ahead in a folder, ms", Each(Answer, "a folder"), 15, "F1");
        yield return new Goal("push in a folder at most 0.6 × wal-g's 55 ms, ms", Each(Single, "a folder"), 0.6 * 55, "F1");
        foreach (string place in new[] { "a folder", "a bucket" })
            yield return new Goal($"backlog to {place} at most 0.5 × the time of pgBackRest, async", Of(Backlog, place).Ratio(Ours, Async), 0.5);
        yield return new Goal("replay at most 1 / 0.9 × the time with cp", Of(Replay, "a folder").Ratio(Ours, "cp"), 1 / 0.9);
    }

    private double Each(string work, string place) => Rounds.Median(Of(work, place).Of(Ours, static took => took.Wall.TotalMilliseconds)) / _segments[(work, Ours)];

    private Rounds Of(string work, string place) => new(_rounds[(work, place)], Ours);

    private Dictionary<string, int> Segments(string work) =>
        _segments.Where(entry => entry.Key.Work == work).ToDictionary(static entry => entry.Key.Name, static entry => entry.Value, StringComparer.Ordinal);
}
