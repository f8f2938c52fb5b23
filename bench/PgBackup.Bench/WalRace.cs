using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>Pushes the same segments into empty archives, in turn: by one PowerShell, by one PowerShell each, by one pgBackRest each.</summary>
internal sealed class WalRace(Ground ground, WalSample wal, BucketHome ours, BucketHome theirs)
{
    // A PowerShell each takes long enough to tell the time by a few.
    private const int Singles = 4;

    private const string Together = "PgBackup: Push-PgWal of all of them, one process";
    private const string OneByOne = "PgBackup: a PowerShell for each, as archive_command does";
    private const string Rival = "pgBackRest: archive-push for each, as archive_command does";

    private readonly List<IReadOnlyList<Result>> _rounds = [];

    /// <summary>What was measured, by rounds.</summary>
    public Rounds Results => new(_rounds, Together);

    /// <summary>How many segments each row stands for.</summary>
    public IReadOnlyDictionary<string, int> Segments => new Dictionary<string, int> { [Together] = wal.Files.Count, [OneByOne] = Singles, [Rival] = wal.Files.Count };

    /// <summary>Everybody pushes once.</summary>
    public async Task RunAsync(int round, CancellationToken cancellationToken)
    {
        foreach (string file in wal.Files)
            Sizes.Warm(file, cancellationToken);
        Func<Task<Result>>[] runs = [() => TogetherAsync(round, cancellationToken), () => OneByOneAsync(round, cancellationToken), () => RivalAsync(round, cancellationToken)];
        int first = round % runs.Length;
        List<Result> results = [];
        foreach (Func<Task<Result>> run in runs.Skip(first).Concat(runs.Take(first)))
        {
            Result result = await run();
            Console.WriteLine($"  {"WAL push",-8} {result.Name,-60} {result.Took.Wall.TotalMilliseconds / Segments[result.Name],6:F0} ms a segment");
            results.Add(result);
        }
        _rounds.Add(results);
    }

    private async Task<Result> TogetherAsync(int round, CancellationToken cancellationToken)
    {
        BucketHome home = ours.Sibling($"wal-{round}-together");
        (Measurement took, string output) = await ground.Module.RunAsync(
            home, $"(Push-PgWal '{Path.GetDirectoryName(wal.Files[0])}/*' -Repository '{home.Repository}' | Measure-Object).Count", cancellationToken);
        return output.Trim() == $"{wal.Files.Count}" ? new Result(Together, took) : throw new InvalidOperationException($"Of {wal.Files.Count} segments these were pushed:\n{output}");
    }

    private async Task<Result> OneByOneAsync(int round, CancellationToken cancellationToken)
    {
        BucketHome home = ours.Sibling($"wal-{round}-single");
        PowerShellModule module = ground.Module;
        (Measurement took, _) = await ground.Stopwatches.RunAsync(
            home.Environment, cancellationToken, "bash",
            ["-c", "set -e; for file in \"${@:4}\"; do \"$1\" -NoProfile -NonInteractive -File \"$2\" \"$file\" -Repository \"$3\"; done", "bash", module.PowerShell, module.ArchiveScript, home.Repository,
                .. wal.Files.Take(Singles)]);
        return new Result(OneByOne, took);
    }

    private async Task<Result> RivalAsync(int round, CancellationToken cancellationToken)
    {
        PgBackRest rival = new(ground.Stopwatches, ground.Cluster, ground.CreateFolder($"pgbackrest-wal-{round}"), theirs.Sibling($"wal-{round}-pgbackrest"));
        await rival.PrepareAsync(cancellationToken);
        return new Result(Rival, await rival.PushAsync(wal.Files, cancellationToken));
    }
}
