using PgBackup.TestServers;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench.Wal;

/// <summary>
/// Pushing and fetching WAL by the commands that PostgreSQL runs, one process after the other as it runs them; and a real server that replays. Against pgBackRest, with and without its
/// processes that work ahead, and cp. In folders, and in a bucket of Ceph's gateway over TLS.
/// </summary>
internal sealed class WalRun(BenchOptions options, Ground ground, WalSample wal, CancellationToken cancellationToken)
{
    private const string Bucket = "wal";
    private const int Segments = 48;
    private const int Singles = 12;

    // So long a server replays a segment of pgbench's, or longer.
    private const double ReplayTime = 0.05;

    private readonly Report _report = new(Console.Out);
    private readonly PretendedServer _server = new(ground.Stopwatches, ground.Cluster, wal, ground.CreateFolder("server"));

    private string[] Names { get; } = [.. wal.Files.Select(static file => Path.GetFileName(file))];

    /// <summary>Runs it all and prints the report.</summary>
    public static async Task RunAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        await using CephServer store = await CephServer.StartAsync(CephInstallation.Current, new CephOptions { MemoryGigabytes = 8 });
        await store.CreateBucketAsync(name: Bucket);
        await using Ground ground = await Ground.CreateAsync(options, PostgresTools.Complete, cancellationToken);
        string before = Path.Combine(ground.CreateFolder("before"), "data");
        await ground.Cluster.StopAsync();
        (await ToolProcess.RunAsync(new("cp", ["-a", ground.Cluster.DataDirectory, before]), cancellationToken)).EnsureSuccess();
        await ground.Cluster.StartAsync();
        Console.WriteLine($"Writing {Segments} segments by pgbench");
        WalSample wal = await WalSample.FollowAsync(ground.Cluster, ground.CreateFolder("wal"), Segments, cancellationToken);
        await new WalRun(options, ground, wal, cancellationToken).RunAsync(store, before);
    }

    private async Task RunAsync(CephServer store, string before)
    {
        string caFile = Path.Combine(ground.CreateFolder("tls"), "ca.pem");
        File.Copy(store.CaFile!, caFile);
        ServerAccount.Current.Own(caFile);
        Uri address = new UriBuilder(store.TlsEndpoint!) { Host = "localhost" }.Uri; // pgBackRest compares names, not addresses.
        RepositoryHome InBucket(string prefix) => new BucketHome(store, Bucket, prefix, address, caFile);
        RepositoryHome InFolder(string prefix) => new FolderHome(Path.Combine(ground.CreateFolder("repositories"), prefix));

        Console.WriteLine(await Tools.FirstLineAsync(Tools.Find("pgbackrest"), "version"));
        WalContestant[] folder = [.. Contestants("folder", InFolder), new PlainCopy(ground.CreateFolder("copies"))];
        WalContestant[] bucket = [.. Contestants("bucket", InBucket)];
        var tables = new WalTables();
        var replay = new Replay(ground, before, Path.Combine(ground.CreateFolder("replays"), "data"));
        await _server.PrepareAsync(0, cancellationToken);
        for (int round = 1; round <= options.Rounds; round++)
        {
            Console.WriteLine($"Round {round} of {options.Rounds}");
            foreach ((string place, WalContestant[] all) in new[] { ("a folder", folder), ("a bucket", bucket) })
            {
                int first = round % all.Length;
                foreach (WalContestant contestant in all.Skip(first).Concat(all.Take(first)))
                    await MeasureAsync(contestant, place, tables, place == "a folder" ? replay : null);
            }
            tables.EndRound();
        }
        _report.Describe(ground, options.Rounds);
        tables.Print(_report, wal.SegmentBytes);
    }

    private WalContestant[] Contestants(string place, Func<string, RepositoryHome> home)
    {
        PgBackRestWal Rival(string name, bool isAsync) => new(name, archive =>
        {
            string id = $"{place}-{(isAsync ? "async" : "sync")}-{archive}";
            return new PgBackRest(ground.Stopwatches, ground.Cluster, ground.CreateFolder($"pgbackrest-{id}"), home($"pgbackrest-{id}")) { IsAsync = isAsync, DataDirectory = _server.DataDirectory };
        });

        string program = ground.Module.NativeCommand;
        return
        [
            new PgBackupWal(WalTables.Ours, program, archive => home($"ours-{place}-{archive}"), ground.CreateFolder($"spool-{place}")),
            Rival(WalTables.Sync, isAsync: false),
            Rival(WalTables.Async, isAsync: true),
        ];
    }

    private async Task MeasureAsync(WalContestant contestant, string place, WalTables tables, Replay? replay)
    {
        // One after the other, nothing else waits: what each costs by itself.
        await contestant.ResetAsync(cancellationToken);
        await _server.PrepareAsync(0, cancellationToken);
        if (contestant.Name != WalTables.Async) // It takes only what is marked.
            Tell(tables.Add(WalTables.Single, place, contestant, Singles, await _server.PushAsync(contestant, Names.Take(Singles), cancellationToken)));

        // All wait, as after a store that was away, while the server works on.
        await contestant.ResetAsync(cancellationToken);
        await _server.PrepareAsync(Segments, cancellationToken);
        await using (await ForeignLoad.StartAsync(ground, cancellationToken))
            Tell(tables.Add(WalTables.Backlog, place, contestant, Segments, await _server.ArchiveAsync(contestant, Segments, cancellationToken)));

        // What was stored ahead is answered for.
        await contestant.ResetAsync(cancellationToken);
        await _server.PrepareAsync(Singles + 1, cancellationToken);
        await _server.ArchiveAsync(contestant, 1, cancellationToken);
        await Task.Delay(TimeSpan.FromSeconds(contestant.Name == WalTables.Async ? 3 : 0), cancellationToken);
        Tell(tables.Add(WalTables.Answer, place, contestant, Singles, await _server.ArchiveAsync(contestant, Singles, cancellationToken)));

        await _server.PrepareAsync(Segments, cancellationToken);
        await _server.ArchiveAsync(contestant, Segments, cancellationToken); // The rest, so that all is there.
        await EmptySpoolAsync(contestant);
        // Each as if it were the first: every other one, so that nothing was fetched ahead.
        IEnumerable<string> scattered = Names.Where(static (_, i) => i % 10 == 0).Reverse();
        int count = scattered.Count();
        contestant.FetchesAhead = false;
        if (contestant.Name != WalTables.Async) // It waits for what it fetches ahead.
            Tell(tables.Add(WalTables.Fetch, place, contestant, count, await _server.FetchAsync(contestant, scattered, 0, cancellationToken)));
        contestant.FetchesAhead = true;
        await EmptySpoolAsync(contestant);
        Measurement paced = await _server.FetchAsync(contestant, Names.Take(Singles * 2), ReplayTime, cancellationToken);
        Tell(tables.Add(WalTables.PacedFetch, place, contestant, Singles * 2, paced with { Wall = paced.Wall - TimeSpan.FromSeconds(ReplayTime * Singles * 2) }));
        await EmptySpoolAsync(contestant);
        if (replay is not null)
            Tell(tables.Add(WalTables.Replay, place, contestant, Segments, await replay.RunAsync(contestant, cancellationToken)));
    }

    // A process that still works ahead would miss its folder.
    private async Task EmptySpoolAsync(WalContestant contestant)
    {
        if (contestant.Name == WalTables.Async)
            await Task.Delay(TimeSpan.FromSeconds(3), cancellationToken);
        contestant.EmptySpool();
    }

    private static void Tell(string line) => Console.WriteLine($"  {line}");
}
