using PgBackup.Tests.Kit;
using PgBackup.TestServers;

namespace PgBackup.Bench;

/// <summary>
/// Backups of what changed: 1 % of the rows of the largest table in one place, then 1 % everywhere in it. PostgreSQL 17, which tells by its WAL summaries what changed, and 15,
/// where it is found by reading pages; against pgBackRest's incremental backups, by files and by blocks.
/// </summary>
internal static class DeltaRun
{
    /// <summary>Runs it all and prints the reports.</summary>
    public static async Task RunAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        foreach (int major in new[] { 17, 15 })
            await RunAsync(options, PostgresTools.OfMajor(major), cancellationToken);
    }

    private static async Task RunAsync(BenchOptions options, PostgresTools server, CancellationToken cancellationToken)
    {
        await using Ground ground = await Ground.CreateAsync(options, server, cancellationToken);
        // Without it the new rows go where old ones have left room, which is everywhere.
        await ground.Cluster.ExecuteAsync("VACUUM FULL pgbench_accounts");
        string folder = Path.Combine(ground.CreateFolder("pgbackup"), "repo");
        PgBackupModule ours = new(ground.Module, ground.Cluster, new FolderHome(folder), DirectoryRun.CopyInto(Path.Combine(folder, "wal_005"), ground.CreateFolder("incoming")));
        PgBackRest byFile = Rival(ground, "files", isByBlock: false), byBlock = Rival(ground, "blocks", isByBlock: true);
        Race race = new(ground, [ours, byFile, byBlock]);
        foreach (Contestant contestant in race.Contestants)
            await contestant.PrepareAsync(cancellationToken);

        var near = new List<ChangedPages>();
        var spread = new List<ChangedPages>();
        var sizes = new Dictionary<(Work, string), long>();
        for (int round = 1; round <= options.Rounds; round++)
        {
            Console.WriteLine($"Round {round} of {options.Rounds}");
            await race.RunAsync(round, cancellationToken);
            int rows = options.Scale * 1000; // 1 % of 100,000 accounts for each step of the scale.
            near.Add(await ChangeAsync(ground, $"aid BETWEEN {round * 3 * rows} AND {(round * 3 * rows) + rows - 1}"));
            await DeltaAsync(Work.DeltaOfOnePlace, round);
            spread.Add(await ChangeAsync(ground, $"aid IN (SELECT 1 + (random() * {(rows * 100) - 1})::int FROM generate_series(1, {rows}))"));
            await DeltaAsync(Work.DeltaOfEverywhere, round);
            await race.RestoreAsync(Work.ChainRestore, round, cancellationToken);
        }

        Report report = new(Console.Out);
        await report.DescribeAsync(ground, options.Rounds, race.Contestants, cancellationToken);
        Rounds full = race.Results(Work.Backup), one = race.Results(Work.DeltaOfOnePlace), all = race.Results(Work.DeltaOfEverywhere);
        Rounds restore = race.Results(Work.Restore), chain = race.Results(Work.ChainRestore);
        report.Times($"full backup of {Sizes.Megabytes(ground.DataBytes)}", full);
        report.Times($"delta, 1 % in one place ({ChangedPages.Describe(near)})", one);
        report.Times($"delta, 1 % everywhere ({ChangedPages.Describe(spread)})", all);
        report.Times("restore of the full backup", restore);
        report.Times("restore of the full backup and two deltas", chain);
        report.Sizes([.. race.Contestants.Select(c => (c.Name, sizes[(Work.DeltaOfOnePlace, c.Name)], sizes[(Work.DeltaOfEverywhere, c.Name)]))]);

        double part = spread[^1].Share;
        var goals = new List<Goal>
        {
            new("delta of one place not larger than pgBackRest's by blocks", Size(Work.DeltaOfOnePlace, ours) / Size(Work.DeltaOfOnePlace, byBlock), 1),
            new("delta of everywhere not larger than pgBackRest's by blocks", Size(Work.DeltaOfEverywhere, ours) / Size(Work.DeltaOfEverywhere, byBlock), 1),
            new("restore of the chain at most 1.25 × the restore of the full backup", Across(chain, restore, ours.Name), 1.25),
        };
        if (server.Major >= 17)
        {
            goals.Add(new Goal("delta of one place at most 0.15 × the full backup, without the start of PowerShell", Across(one, full, ours.CmdletName), 0.15));
            goals.Add(new Goal($"delta of everywhere at most {part + 0.15:F2} × the full backup, without the start of PowerShell", Across(all, full, ours.CmdletName), part + 0.15));
        }
        else
        {
            goals.Add(new Goal("delta of one place at most 0.60 × pgBackRest's incremental", one.Ratio(ours.Name, byFile.Name), 0.60));
            goals.Add(new Goal("delta of everywhere at most 0.60 × pgBackRest's incremental", all.Ratio(ours.Name, byFile.Name), 0.60));
        }
        report.Goals(goals);

        async Task DeltaAsync(Work work, int round)
        {
            await race.BackUpAsync(work, round, cancellationToken);
            foreach (Contestant contestant in race.Contestants)
                sizes[(work, contestant.Name)] = await contestant.StoredBytesAsync(cancellationToken);
        }

        double Size(Work work, Contestant contestant) => sizes[(work, contestant.Name)];
    }

    private static PgBackRest Rival(Ground ground, string distinction, bool isByBlock)
    {
        string folder = ground.CreateFolder($"pgbackrest-{distinction}");
        return new PgBackRest(ground.Stopwatches, ground.Cluster, folder, new FolderHome(Path.Combine(folder, "repo")))
        {
            Distinction = distinction,
            IsByBlock = isByBlock,
            Program = new DebianRoot(ServerCache.CurrentPgBackRest).WriteLauncher("usr/bin/pgbackrest", Path.Combine(folder, "pgbackrest")),
        };
    }

    private static async Task<ChangedPages> ChangeAsync(Ground ground, string where)
    {
        Lsn before = Lsn.Parse(await ground.Cluster.ScalarAsync<string>("SELECT pg_current_wal_insert_lsn()::text"));
        await ground.Cluster.ExecuteAsync($"UPDATE pgbench_accounts SET abalance = abalance + 1, filler = md5(random()::text) WHERE {where}");
        await ground.Cluster.ExecuteAsync("CHECKPOINT");
        return ChangedPages.Count(ground.Cluster.DataDirectory, before);
    }

    /// <summary>One row's time in one kind of work by its time in another, in the same round.</summary>
    private static double Across(Rounds some, Rounds other, string name)
    {
        double[] times = some.Of(name, static m => m.Wall.TotalSeconds), by = other.Of(name, static m => m.Wall.TotalSeconds);
        return Rounds.Median([.. times.Zip(by, static (a, b) => a / b)]);
    }
}
