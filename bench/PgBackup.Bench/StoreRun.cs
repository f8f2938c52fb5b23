using PgBackup.TestServers;
using PgBackup.TestServers.Proxy;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>
/// Repositories in a bucket of Ceph's gateway: PgBackup and pgBackRest over TLS; pushing WAL, both; and PgBackup through a proxy that holds every request up, and through
/// the same one without.
/// </summary>
internal sealed class StoreRun(BenchOptions options, Ground ground, CephServer server, CancellationToken cancellationToken) : IDisposable
{
    private const string Bucket = "bench";
    private const int Segments = 20;

    private static readonly TimeSpan s_delay = TimeSpan.FromMilliseconds(50);

    private readonly List<ResidentPush> _pushing = [];
    private readonly Report _report = new(Console.Out);

    /// <summary>Runs it all and prints the report.</summary>
    public static async Task RunAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        await using CephServer server = await CephServer.StartAsync(CephInstallation.Current, new CephOptions { MemoryGigabytes = 12 });
        await server.CreateBucketAsync(name: Bucket);
        await using Ground ground = await Ground.CreateAsync(options, PostgresTools.Complete, cancellationToken);
        using StoreRun run = new(options, ground, server, cancellationToken);
        await run.RunAsync();
    }

    /// <summary>Ends the processes that pushed WAL.</summary>
    public void Dispose()
    {
        foreach (ResidentPush push in _pushing)
            push.Dispose();
    }

    private async Task RunAsync()
    {
        WalSample wal = await WalSample.CollectAsync(ground.Cluster, ground.CreateFolder("wal"), Segments, cancellationToken);
        string caFile = Path.Combine(ground.CreateFolder("tls"), "ca.pem");
        File.Copy(server.CaFile!, caFile);
        ServerAccount.Current.Own(caFile);
        Uri tls = new UriBuilder(server.TlsEndpoint!) { Host = "localhost" }.Uri; // pgBackRest compares names, not addresses.

        await using FaultProxy near = FaultProxy.Start(server.Endpoint), far = FaultProxy.Start(server.Endpoint);
        far.Add(static _ => true, new Fault.Delay(s_delay));
        PgBackupModule ours = await OursAsync("pgbackup", null, tls, caFile);
        PgBackRest rival = new(ground.Stopwatches, ground.Cluster, ground.CreateFolder("pgbackrest"), Home("pgbackrest", tls, caFile));
        PgBackupModule nearby = await OursAsync("near", "no delay", near.Endpoint, null);
        PgBackupModule remote = await OursAsync("far", $"{s_delay.TotalMilliseconds} ms a request", far.Endpoint, null);
        Race versus = new(ground, [ours, rival]);
        Race distance = new(ground, [nearby, remote]);
        WalRace pushes = new(ground, wal, Home("wal", tls, caFile), Home("wal", tls, caFile));
        foreach (Contestant contestant in (Contestant[])[.. versus.Contestants, .. distance.Contestants])
            await contestant.PrepareAsync(cancellationToken);

        for (int round = 1; round <= options.Rounds; round++)
        {
            Console.WriteLine($"Round {round} of {options.Rounds}");
            await versus.RunAsync(round, cancellationToken);
            far.ResetCounts();
            await distance.RunAsync(round, cancellationToken);
            Console.WriteLine($"  {far.Requests.Count} requests were held up, at most {far.MostInFlight} at once");
            await pushes.RunAsync(round, cancellationToken);
        }
        await ReportAsync(versus, distance, pushes, wal);
    }

    private BucketHome Home(string prefix, Uri endpoint, string? caFile) => new(server, Bucket, prefix, endpoint, caFile);

    private async Task<PgBackupModule> OursAsync(string prefix, string? distinction, Uri endpoint, string? caFile)
    {
        BucketHome home = Home(prefix, endpoint, caFile);
        ResidentPush push = await ResidentPush.StartAsync(ground.Module, home, ground.CreateFolder($"push-{prefix}"), cancellationToken);
        _pushing.Add(push);
        return new PgBackupModule(ground.Module, ground.Cluster, home, push.ArchiveCommand) { Distinction = distinction };
    }

    private async Task ReportAsync(Race versus, Race distance, WalRace pushes, WalSample wal)
    {
        await _report.DescribeAsync(ground, options.Rounds, versus.Contestants, cancellationToken);
        Rounds backups = versus.Results(Work.Backup), restores = versus.Results(Work.Restore);
        Rounds farBackups = distance.Results(Work.Backup), farRestores = distance.Results(Work.Restore);
        string data = Sizes.Megabytes(ground.DataBytes);
        _report.Times($"backup of {data}", backups);
        _report.Times($"restore of {data}", restores);
        await _report.StoredAsync(versus.Contestants, ground.DataBytes, cancellationToken);
        _report.Segments("WAL push", pushes.Results, pushes.Segments, wal.SegmentBytes);
        _report.Times($"backup of {data} through the proxy", farBackups, byReference: true);
        _report.Times($"restore of {data} through the proxy", farRestores, byReference: true);
        string ours = versus.Contestants[0].Name, rival = versus.Contestants[1].Name, near = distance.Contestants[0].Name, far = distance.Contestants[1].Name;
        double peak = Enum.GetValues<Work>().Max(work => Math.Max(Peak(versus.Results(work), ours), Peak(distance.Results(work), far)));
        _report.Goals([
            new Goal("backup at most 0.70 × pgBackRest's time", backups.Ratio(ours, rival), 0.70),
            new Goal("restore at most 0.70 × pgBackRest's time", restores.Ratio(ours, rival), 0.70),
            new Goal($"backup with {far[(PgBackupModule.ToolName.Length + 2)..]} at most 1.30 × the time without", farBackups.Ratio(far, near), 1.30),
            new Goal($"restore with {far[(PgBackupModule.ToolName.Length + 2)..]} at most 1.30 × the time without", farRestores.Ratio(far, near), 1.30),
            new Goal("peak memory under 400 MB", peak / 1e6, 400, "F0"),
        ]);
    }

    private static double Peak(Rounds rounds, string name) => rounds.Of(name, static m => m.PeakBytes).Max();
}
