using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>Everything from an empty folder to the tables, and an empty folder again.</summary>
internal sealed class BenchRun(BenchOptions options, CancellationToken cancellationToken)
{
    private readonly Dictionary<Work, List<IReadOnlyList<Result>>> _rounds = new() { [Work.Backup] = [], [Work.Restore] = [] };

    /// <summary>Runs it all and prints the report.</summary>
    public async Task RunAsync()
    {
        using TempFolder folder = new();
        ServerAccount.Current.Own(folder.Path);
        Console.WriteLine($"Making a cluster: pgbench at scale {options.Scale}, {options.DocumentMegabytes} MB of documents");
        await using PostgresCluster cluster = await BenchCluster.CreateAsync(options, cancellationToken);
        IReadOnlyList<Contestant> contestants = await PrepareAsync(folder, cluster);
        for (int round = 1; round <= options.Rounds; round++)
        {
            Console.WriteLine($"Round {round} of {options.Rounds}");
            // Nobody is always first.
            Contestant[] order = [.. contestants.Skip(round % contestants.Count), .. contestants.Take(round % contestants.Count)];
            _rounds[Work.Backup].Add(await BackUpAsync(cluster, order));
            _rounds[Work.Restore].Add(await RestoreAsync(cluster, folder, order));
        }
        Report report = new(_rounds, contestants, Sizes.Of(cluster.DataDirectory) - Sizes.Of(Path.Combine(cluster.DataDirectory, "pg_wal")));
        Console.WriteLine();
        Console.WriteLine($"Machine: {Machine.Describe(folder.Path)}, PostgreSQL {cluster.Tools.Version}. {options.Rounds} rounds.");
        foreach (Contestant contestant in contestants)
            Console.WriteLine($"* {contestant.Name}: {await contestant.DescribeAsync(cancellationToken)}");
        report.Print(Console.Out);
    }

    private async Task<IReadOnlyList<Contestant>> PrepareAsync(TempFolder folder, PostgresCluster cluster)
    {
        Stopwatches stopwatches = new(Tools.Find("time"), Own(folder, "time"));
        stopwatches.Environment["HOME"] = Own(folder, "home");
        stopwatches.Environment["POWERSHELL_TELEMETRY_OPTOUT"] = "1";
        stopwatches.Environment["POWERSHELL_UPDATECHECK"] = "Off";
        // The tree may lie where the server's account cannot read it.
        string module = folder.Combine("module", "PgBackup");
        (await ToolProcess.RunAsync(new("cp", ["-rT", options.Module, Directory.CreateDirectory(module).FullName]), cancellationToken)).EnsureSuccess();
        ServerAccount.Current.Own(folder.Combine("module"));

        PgBackupModule ours = new(stopwatches, cluster, options.PowerShell, Path.Combine(module, "PgBackup.psd1"), Own(folder, "pgbackup"));
        TarZstd tar = new(stopwatches, cluster.DataDirectory, Own(folder, "tar"));
        PgBackRest pgBackRest = new(stopwatches, cluster, Own(folder, "pgbackrest"));
        foreach (Contestant contestant in new Contestant[] { ours, tar, pgBackRest })
            await contestant.PrepareAsync(cancellationToken);
        // Both archives are fed all the time. Ours comes first, but pgBackRest waits for a copy in the page cache alone.
        await BenchCluster.ArchiveByAsync(cluster, $"{ours.ArchiveCommand} && {pgBackRest.ArchiveCommand}");
        return [ours, tar, pgBackRest];
    }

    private async Task<IReadOnlyList<Result>> BackUpAsync(PostgresCluster cluster, IEnumerable<Contestant> order)
    {
        List<Result> results = [];
        foreach (Contestant contestant in order)
        {
            await BenchCluster.SettleAsync(cluster, cancellationToken);
            await CalmAsync(Path.Combine(cluster.DataDirectory, "base"), cluster.Folder);
            Tell(await contestant.BackUpAsync(cancellationToken), Work.Backup, results);
        }
        return results;
    }

    private async Task<IReadOnlyList<Result>> RestoreAsync(PostgresCluster cluster, TempFolder folder, IEnumerable<Contestant> order)
    {
        List<Result> results = [];
        long expected = Sizes.Of(Path.Combine(cluster.DataDirectory, "base"));
        foreach (Contestant contestant in order)
        {
            string destination = Own(folder, "restored");
            await CalmAsync(contestant.NewestBackup, cluster.Folder);
            Tell(await contestant.RestoreAsync(destination, cancellationToken), Work.Restore, results);
            long restored = Sizes.Of(Path.Combine(destination, "base"));
            if (restored < expected * 0.99 || !File.Exists(Path.Combine(destination, "global", "pg_control")))
                throw new InvalidOperationException($"{contestant.Name} restored {restored} of {expected} bytes.");
            Directory.Delete(destination, recursive: true);
        }
        return results;
    }

    /// <summary>The same start for everybody: what will be read is in the page cache, and nothing waits to be written.</summary>
    private async Task CalmAsync(string toRead, string fileSystem)
    {
        Sizes.Warm(toRead, cancellationToken);
        (await ToolProcess.RunAsync(new("sync", ["-f", fileSystem]), cancellationToken)).EnsureSuccess();
    }

    private static void Tell(IReadOnlyList<Result> results, Work work, List<Result> all)
    {
        foreach (Result result in results)
            Console.WriteLine($"  {work,-8} {result.Name,-30} {result.Took.Wall.TotalSeconds,7:F2} s, processors {result.Took.Processor.TotalSeconds,6:F2} s, peak {Sizes.Megabytes(result.Took.PeakBytes)}");
        all.AddRange(results);
    }

    private static string Own(TempFolder folder, string name) => ServerAccount.Current.CreateFolder(folder.Combine(name));
}
