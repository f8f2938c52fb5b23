namespace PgBackup.Bench;

/// <summary>What several rounds of one kind of work measured.</summary>
/// <param name="All">The results, by rounds.</param>
/// <param name="Reference">The row that the others are compared with.</param>
internal sealed record Rounds(IReadOnlyList<IReadOnlyList<Result>> All, string Reference)
{
    /// <summary>The names of the rows, the reference first.</summary>
    public IEnumerable<string> Names => All[0].Select(r => r.Name).OrderBy(n => n != Reference).ThenBy(n => n, StringComparer.Ordinal);

    /// <summary>One value of a row, by rounds.</summary>
    public double[] Of(string name, Func<Measurement, double> value) => [.. All.Select(round => value(In(round, name).Took))];

    /// <summary>One row's time by another's: the median of the rounds. Both were run in the same round: what else the machine did then, it did to both.</summary>
    public double Ratio(string name, string other) => Median([.. All.Select(round => In(round, name).Took.Wall / In(round, other).Took.Wall)]);

    /// <summary>The value in the middle.</summary>
    public static double Median(double[] values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static Result In(IEnumerable<Result> round, string name) => round.First(r => r.Name == name);
}
