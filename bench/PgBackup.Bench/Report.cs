using System.Globalization;

namespace PgBackup.Bench;

/// <summary>A goal, and what was measured.</summary>
/// <param name="Words">What shall be.</param>
/// <param name="Measured">What is.</param>
/// <param name="Most">What it may be at most.</param>
/// <param name="Format">How the number is written.</param>
internal sealed record Goal(string Words, double Measured, double Most, string Format = "F2");

/// <summary>The tables, as Markdown.</summary>
internal sealed class Report(TextWriter output)
{
    /// <summary>Where it was measured, and how often.</summary>
    public void Describe(Ground ground, int rounds)
    {
        output.WriteLine();
        output.WriteLine($"{ground.Description} {rounds} rounds.");
    }

    /// <summary>Who was measured, and how.</summary>
    public async Task DescribeAsync(Ground ground, int rounds, IEnumerable<Contestant> contestants, CancellationToken cancellationToken)
    {
        Describe(ground, rounds);
        foreach (Contestant contestant in contestants)
            output.WriteLine($"* {contestant.Name}: {await contestant.DescribeAsync(cancellationToken)}");
    }

    /// <summary>Times of one kind of work, each compared with the reference's.</summary>
    /// <param name="title">What was done.</param>
    /// <param name="rounds">The results.</param>
    /// <param name="byReference">False for the reference's time by a row's; true for a row's by the reference's.</param>
    public void Times(string title, Rounds rounds, bool byReference = false)
    {
        output.WriteLine();
        output.WriteLine($"| {title} | median | least – most | processor time | peak memory of one process | {(byReference ? "its time / the first" : $"{rounds.Reference}'s time / this")} |");
        output.WriteLine("|---|---|---|---|---|---|");
        foreach (string name in rounds.Names)
        {
            double[] walls = rounds.Of(name, static m => m.Wall.TotalSeconds);
            double processor = Rounds.Median(rounds.Of(name, static m => m.Processor.TotalSeconds));
            double ratio = byReference ? rounds.Ratio(name, rounds.Reference) : rounds.Ratio(rounds.Reference, name);
            output.WriteLine(Text(
                $"| {Cell(name)} | {Rounds.Median(walls):F2} s | {walls.Min():F2} – {walls.Max():F2} s | {processor:F2} s | {Bench.Sizes.Megabytes(rounds.Of(name, static m => m.PeakBytes).Max())} | {(name == rounds.Reference ? "" : Text($"{ratio:F2}"))} |"));
        }
    }

    /// <summary>What the newest backups take.</summary>
    public async Task StoredAsync(IEnumerable<Contestant> contestants, long dataBytes, CancellationToken cancellationToken)
    {
        Rows("stored", "size", "of the data");
        foreach (Contestant contestant in contestants)
        {
            long stored = await contestant.StoredBytesAsync(cancellationToken);
            output.WriteLine(Text($"| {Cell(contestant.Name)} | {Bench.Sizes.Megabytes(stored)} | {100.0 * stored / dataBytes:F1} % |"));
        }
    }

    /// <summary>What two deltas take.</summary>
    public void Sizes(IEnumerable<(string Name, long OnePlace, long Everywhere)> deltas)
    {
        Rows("stored", "delta of one place", "delta of everywhere");
        foreach ((string name, long near, long spread) in deltas)
            output.WriteLine($"| {Cell(name)} | {Bench.Sizes.Megabytes(near)} | {Bench.Sizes.Megabytes(spread)} |");
    }

    /// <summary>What a number of segments took.</summary>
    /// <param name="title">What was done with them.</param>
    /// <param name="rounds">The results.</param>
    /// <param name="segments">How many segments each row stands for.</param>
    /// <param name="segmentBytes">The bytes of one.</param>
    public void Segments(string title, Rounds rounds, IReadOnlyDictionary<string, int> segments, long segmentBytes)
    {
        Rows(title, "segments", "a segment", "least – most", "rate", "processor time a segment", "peak memory of one process");
        foreach (string name in rounds.Names)
        {
            double[] each = [.. rounds.Of(name, static m => m.Wall.TotalMilliseconds).Select(t => t / segments[name])];
            double processor = Rounds.Median(rounds.Of(name, static m => m.Processor.TotalMilliseconds)) / segments[name];
            output.WriteLine(Text(
                $"| {Cell(name)} | {segments[name]} | {Rounds.Median(each):F1} ms | {each.Min():F1} – {each.Max():F1} ms | {segmentBytes / 1e3 / Rounds.Median(each):F0} MB/s | {processor:F0} ms | {Bench.Sizes.Megabytes(rounds.Of(name, static m => m.PeakBytes).Max())} |"));
        }
    }

    /// <summary>The goals, and whether they are reached.</summary>
    public void Goals(IEnumerable<Goal> goals)
    {
        Rows("goal", "measured", "reached");
        foreach (Goal goal in goals)
            output.WriteLine($"| {Cell(goal.Words)} | {goal.Measured.ToString(goal.Format, CultureInfo.InvariantCulture)} | {(goal.Measured <= goal.Most ? "yes" : "no")} |");
    }

    private void Rows(params string[] columns)
    {
        output.WriteLine();
        output.WriteLine($"| {string.Join(" | ", columns)} |");
        output.WriteLine($"|{string.Concat(Enumerable.Repeat("---|", columns.Length))}");
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
