using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>Repositories in folders: PgBackup, pgBackRest and tar through zstd.</summary>
internal static class DirectoryRun
{
    /// <summary>Runs it all and prints the report.</summary>
    public static async Task RunAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        await using Ground ground = await Ground.CreateAsync(options, PostgresTools.Complete, cancellationToken);
        string folder = Path.Combine(ground.CreateFolder("pgbackup"), "repo"), backRest = ground.CreateFolder("pgbackrest");
        PgBackupModule ours = new(ground.Module, ground.Cluster, new FolderHome(folder), CopyInto(Path.Combine(folder, "wal_005"), ground.CreateFolder("incoming")));
        TarZstd tar = new(ground.Stopwatches, ground.Cluster.DataDirectory, ground.CreateFolder("tar"));
        PgBackRest rival = new(ground.Stopwatches, ground.Cluster, backRest, new FolderHome(Path.Combine(backRest, "repo")));
        Race race = new(ground, [ours, tar, rival]);
        foreach (Contestant contestant in race.Contestants)
            await contestant.PrepareAsync(cancellationToken);
        for (int round = 1; round <= options.Rounds; round++)
        {
            Console.WriteLine($"Round {round} of {options.Rounds}");
            await race.RunAsync(round, cancellationToken);
        }

        Report report = new(Console.Out);
        await report.DescribeAsync(ground, options.Rounds, race.Contestants, cancellationToken);
        Rounds backups = race.Results(Work.Backup), restores = race.Results(Work.Restore);
        report.Times($"backup of {Sizes.Megabytes(ground.DataBytes)}", backups);
        report.Times($"restore of {Sizes.Megabytes(ground.DataBytes)}", restores);
        await report.StoredAsync(race.Contestants, ground.DataBytes, cancellationToken);
        string synced = backups.Names.First(static n => n.EndsWith(", synced", StringComparison.Ordinal));
        double size = (double)await ours.StoredBytesAsync(cancellationToken) / await rival.StoredBytesAsync(cancellationToken);
        double peak = Math.Max(backups.Of(ours.Name, static m => m.PeakBytes).Max(), restores.Of(ours.Name, static m => m.PeakBytes).Max());
        report.Goals([
            new Goal("backup at most 0.60 × pgBackRest's time", backups.Ratio(ours.Name, rival.Name), 0.60),
            new Goal($"backup at most 1.15 × the time of {synced}", backups.Ratio(ours.Name, synced), 1.15),
            new Goal("backup not larger than pgBackRest's", size, 1),
            new Goal("restore at most 0.60 × pgBackRest's time", restores.Ratio(ours.Name, rival.Name), 0.60),
            new Goal("peak memory under 300 MB", peak / 1e6, 300, "F0"),
        ]);
    }

    /// <summary>An archive_command: a copy, flushed, under its last name only when it is whole.</summary>
    public static string CopyInto(string target, string incoming) =>
        $"mkdir -p \"{target}\" && cp \"%p\" \"{incoming}/%f\" && sync \"{incoming}/%f\" && mv \"{incoming}/%f\" \"{target}/%f\"";
}
