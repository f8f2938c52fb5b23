namespace PgBackup.Bench;

/// <summary>Contestants that back up and restore the same cluster in turn, and what came of it. The first one is what the others are compared with.</summary>
internal sealed class Race(Ground ground, IReadOnlyList<Contestant> contestants)
{
    private readonly Dictionary<Work, List<IReadOnlyList<Result>>> _rounds = Enum.GetValues<Work>().ToDictionary(static w => w, static _ => new List<IReadOnlyList<Result>>());

    /// <summary>Who takes part.</summary>
    public IReadOnlyList<Contestant> Contestants => contestants;

    /// <summary>What was measured, by rounds.</summary>
    public Rounds Results(Work work) => new(_rounds[work], contestants[0].Name);

    /// <summary>Every contestant backs up once, then every one restores once; in each round another one is first.</summary>
    public async Task RunAsync(int round, CancellationToken cancellationToken)
    {
        await BackUpAsync(Work.Backup, round, cancellationToken);
        await RestoreAsync(Work.Restore, round, cancellationToken);
    }

    /// <summary>Every contestant backs up once.</summary>
    public async Task BackUpAsync(Work work, int round, CancellationToken cancellationToken)
    {
        List<Result> results = [];
        foreach (Contestant contestant in Order(round))
        {
            // All archives are fed all the time, but nobody waits for another's.
            IEnumerable<string> archiving = contestants.OrderBy(c => c != contestant).Select(static c => c.ArchiveCommand).OfType<string>();
            await BenchCluster.ArchiveByAsync(ground.Cluster, string.Join(" && ", archiving));
            await BenchCluster.SettleAsync(ground.Cluster, cancellationToken);
            Sizes.Warm(Path.Combine(ground.Cluster.DataDirectory, "base"), cancellationToken);
            await ground.FlushAsync(cancellationToken);
            Tell(await contestant.BackUpAsync(isFull: work == Work.Backup, cancellationToken), work, results);
        }
        _rounds[work].Add(results);
    }

    /// <summary>Every contestant restores its newest backup once.</summary>
    public async Task RestoreAsync(Work work, int round, CancellationToken cancellationToken)
    {
        List<Result> results = [];
        long expected = Sizes.Of(Path.Combine(ground.Cluster.DataDirectory, "base"));
        // The last backup's segment may still be on its way to the others' archives.
        await BenchCluster.SettleAsync(ground.Cluster, cancellationToken);
        foreach (Contestant contestant in Order(round))
        {
            string destination = ground.CreateFolder("restored");
            contestant.WarmNewestBackup(cancellationToken);
            await ground.FlushAsync(cancellationToken);
            Tell(await contestant.RestoreAsync(destination, cancellationToken), work, results);
            long restored = Sizes.Of(Path.Combine(destination, "base"));
            if (restored < expected * 0.99 || !File.Exists(Path.Combine(destination, "global", "pg_control")))
                throw new InvalidOperationException($"{contestant.Name} restored {restored} of {expected} bytes.");
            Directory.Delete(destination, recursive: true);
        }
        _rounds[work].Add(results);
    }

    private IEnumerable<Contestant> Order(int round)
    {
        int first = round % contestants.Count;
        return contestants.Skip(first).Concat(contestants.Take(first));
    }

    private static void Tell(IReadOnlyList<Result> results, Work work, List<Result> all)
    {
        foreach (Result result in results)
            Console.WriteLine($"  {work,-17} {result.Name,-40} {result.Took.Wall.TotalSeconds,7:F2} s, processors {result.Took.Processor.TotalSeconds,6:F2} s, peak {Sizes.Megabytes(result.Took.PeakBytes)}");
        all.AddRange(results);
    }
}
