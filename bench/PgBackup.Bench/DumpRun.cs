using System.Globalization;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>Logical backups of one database: into our repository and by pg_dump's own ways; as one stream, and by one and two jobs in the directory form.</summary>
internal sealed class DumpRun(BenchOptions options, Ground ground, CancellationToken cancellationToken)
{
    private const string Ours = "PgBackup";
    private const string Piped = "pg_dump -Fc -Z0 | zstd -1 -T0";
    private const string Jobs = "jobs";

    private readonly List<IReadOnlyList<Result>> _streams = [];
    private readonly List<IReadOnlyList<Result>> _folders = [];
    private readonly Report _report = new(Console.Out);
    private readonly string _pgDump = ground.Cluster.Tools.Tool("pg_dump");

    /// <summary>Runs it all and prints the report.</summary>
    public static async Task RunAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        await using Ground ground = await Ground.CreateAsync(options, PostgresTools.Complete, cancellationToken);
        await new DumpRun(options, ground, cancellationToken).RunAsync();
    }

    private async Task RunAsync()
    {
        for (int round = 1; round <= options.Rounds; round++)
        {
            Console.WriteLine($"Round {round} of {options.Rounds}");
            _streams.Add(await InTurnAsync(round, [() => BackUpAsync("Custom", 1), PipeAsync]));
            _folders.Add(await InTurnAsync(round, [() => BackUpAsync("Directory", 1), () => BackUpAsync("Directory", 2), () => DumpFolderAsync(1), () => DumpFolderAsync(2)]));
        }
        _report.Describe(ground, options.Rounds);
        var streams = new Rounds(_streams, Named(Ours, 0));
        var folders = new Rounds(_folders, Named(Ours, 2));
        string data = Sizes.Megabytes(ground.DataBytes);
        _report.Times($"dump of {data} as one stream", streams);
        _report.Times($"dump of {data} in the directory form", folders);
        _report.Goals([
            new Goal($"dump at most 1.10 × the time of {Piped}", streams.Ratio(Named(Ours, 0), Piped), 1.10),
            new Goal("peak memory under 200 MB", streams.Of(Named(Ours, 0), static m => m.PeakBytes).Max() / 1e6, 200, "F0"),
            new Goal("two jobs gain what pg_dump's own gain (time by one job, ours / pg_dump's)",
                folders.Ratio(Named(Ours, 2), Named(Ours, 1)) / folders.Ratio(Named("pg_dump -Fd", 2), Named("pg_dump -Fd", 1)), 1.10),
        ]);
    }

    private async Task<IReadOnlyList<Result>> InTurnAsync(int round, IReadOnlyList<Func<Task<Result>>> works)
    {
        List<Result> results = [];
        for (int i = 0; i < works.Count; i++)
        {
            Sizes.Warm(Path.Combine(ground.Cluster.DataDirectory, "base"), cancellationToken);
            await ground.FlushAsync(cancellationToken);
            Result result = await works[(i + round) % works.Count]();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {result.Name}: {result.Took.Wall.TotalSeconds:F2} s"));
            results.Add(result);
        }
        return results;
    }

    private static string Named(string tool, int jobs) => jobs == 0 ? tool : $"{tool}, {jobs} {Jobs}";

    private async Task<Result> BackUpAsync(string format, int jobs)
    {
        string folder = ground.CreateFolder("repository");
        var home = new FolderHome(folder);
        (Measurement took, string output) = await ground.Module.RunAsync(
            home,
            $"Backup-PgDatabase -HostName 127.0.0.1 -Port {ground.Cluster.Port} -UserName postgres -Database postgres -Repository '{folder}' -Format {format} -ThrottleLimit "
            + $"{(format == "Custom" ? Environment.ProcessorCount : jobs)} | ForEach-Object Name",
            cancellationToken);
        if (await home.BytesAsync($"pgbackup_v1/dumps/{output.Trim()}/manifest.json", cancellationToken) == 0)
            throw new InvalidOperationException($"No backup came of it. The process printed:\n{output}");
        Directory.Delete(folder, recursive: true);
        return new Result(Named(Ours, format == "Custom" ? 0 : jobs), took);
    }

    private async Task<Result> PipeAsync()
    {
        string file = Path.Combine(ground.CreateFolder("piped"), "postgres.dump.zst");
        (Measurement piped, _) = await ground.Stopwatches.RunAsync(
            cancellationToken, "bash", "-c", "set -o pipefail; \"$0\" -h 127.0.0.1 -p \"$1\" -U postgres -Fc -Z0 postgres | zstd -1 -T0 -q -o \"$2\"", _pgDump, $"{ground.Cluster.Port}", file);
        (Measurement synced, _) = await ground.Stopwatches.RunAsync(cancellationToken, "sync", file);
        File.Delete(file);
        return new Result(Piped, piped + synced);
    }

    private async Task<Result> DumpFolderAsync(int jobs)
    {
        string folder = Path.Combine(ground.CreateFolder("folders"), $"jobs-{jobs}");
        (Measurement took, _) = await ground.Stopwatches.RunAsync(
            cancellationToken, _pgDump, "-h", "127.0.0.1", "-p", $"{ground.Cluster.Port}", "-U", "postgres", "-Fd", "-Z1", "-j", $"{jobs}", "-f", folder, "postgres");
        (Measurement synced, _) = await ground.Stopwatches.RunAsync(cancellationToken, "find", folder, "-exec", "sync", "{}", "+");
        Directory.Delete(folder, recursive: true);
        return new Result(Named("pg_dump -Fd", jobs), took + synced);
    }
}
