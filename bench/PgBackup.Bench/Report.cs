using System.Globalization;

namespace PgBackup.Bench;

/// <summary>The tables, and whether the goals are reached.</summary>
internal sealed class Report(IReadOnlyDictionary<Work, List<IReadOnlyList<Result>>> rounds, IReadOnlyList<Contestant> contestants, long dataBytes)
{
    private const long PeakGoal = 300_000_000;

    /// <summary>Writes it as Markdown.</summary>
    public void Print(TextWriter output)
    {
        foreach (Work work in Enum.GetValues<Work>())
            PrintTable(output, work);
        output.WriteLine();
        output.WriteLine("| stored | size | of the data |");
        output.WriteLine("|---|---|---|");
        foreach (Contestant contestant in contestants)
            output.WriteLine(Text($"| {Cell(contestant.Name)} | {Sizes.Megabytes(contestant.StoredBytes)} | {100.0 * contestant.StoredBytes / dataBytes:F1} % |"));
        PrintGoals(output);
    }

    private void PrintTable(TextWriter output, Work work)
    {
        output.WriteLine();
        output.WriteLine($"| {work.ToString().ToLowerInvariant()} of {Sizes.Megabytes(dataBytes)} | median | least – most | processor time | peak memory of one process | PgBackup's time / this |");
        output.WriteLine("|---|---|---|---|---|---|");
        foreach (string name in rounds[work][0].Select(r => r.Name).OrderBy(n => n != PgBackupModule.ToolName).ThenBy(n => n, StringComparer.Ordinal))
        {
            double[] walls = All(work, name, static m => m.Wall.TotalSeconds);
            string ratio = name == PgBackupModule.ToolName ? "" : Text($"{Ratio(work, name):F2}");
            output.WriteLine(Text(
                $"| {Cell(name)} | {Median(walls):F2} s | {walls.Min():F2} – {walls.Max():F2} s | {Median(All(work, name, static m => m.Processor.TotalSeconds)):F2} s | {Sizes.Megabytes(All(work, name, static m => m.PeakBytes).Max())} | {ratio} |"));
        }
    }

    private void PrintGoals(TextWriter output)
    {
        long ours = Stored(PgBackupModule.ToolName), theirs = Stored("pgBackRest");
        string tar = rounds[Work.Backup][0].Select(r => r.Name).First(n => n.EndsWith(", synced", StringComparison.Ordinal));
        double peak = new[] { Work.Backup, Work.Restore }.Max(w => All(w, PgBackupModule.ToolName, static m => m.PeakBytes).Max());
        output.WriteLine();
        output.WriteLine("| goal | measured | reached |");
        output.WriteLine("|---|---|---|");
        Goal("backup at most 0.60 × pgBackRest's time", Ratio(Work.Backup, "pgBackRest"), 0.60, "F2");
        Goal($"backup at most 1.15 × the time of {tar}", Ratio(Work.Backup, tar), 1.15, "F2");
        Goal("backup not larger than pgBackRest's", (double)ours / theirs, 1, "F2");
        Goal("restore at most 0.60 × pgBackRest's time", Ratio(Work.Restore, "pgBackRest"), 0.60, "F2");
        Goal("peak memory under 300 MB", peak / 1e6, PeakGoal / 1e6, "F0");

        void Goal(string words, double measured, double most, string format) =>
            output.WriteLine($"| {Cell(words)} | {measured.ToString(format, CultureInfo.InvariantCulture)} | {(measured <= most ? "yes" : "no")} |");
    }

    // Both of a pair were run in the same round: what else the machine did then, it did to both.
    private double Ratio(Work work, string rival) =>
        Median([.. rounds[work].Select(round => Of(round, PgBackupModule.ToolName).Took.Wall / Of(round, rival).Took.Wall)]);

    private long Stored(string name) => contestants.First(c => c.Name == name).StoredBytes;

    private double[] All(Work work, string name, Func<Measurement, double> value) => [.. rounds[work].Select(round => value(Of(round, name).Took))];

    private static Result Of(IEnumerable<Result> round, string name) => round.First(r => r.Name == name);

    private static double Median(double[] values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
