using PgBackup.Backup;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.Restore;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup.Deltas;

/// <summary>Random histories, chains of deltas over them, and every chain restored as wal-g would: the cluster is the one that was backed up, row for row and page for page.</summary>
public sealed class DeltaHistoryTests
{
    [Theory]
    [InlineData(Way.Scan)]
    [InlineData(Way.ScanWithoutChecksums)]
    [InlineData(Way.Summaries)]
    [InlineData(Way.Mixed)]
    public Task AnyHistoryRestores(Way way) => RunAsync(way, Random.Shared.Next(), deltas: 3);

    [Theory]
    [Trait("Category", "Full")]
    [InlineData(Way.Scan)]
    [InlineData(Way.ScanWithoutChecksums)]
    [InlineData(Way.Summaries)]
    [InlineData(Way.Mixed)]
    public async Task LongChainsRestore(Way way)
    {
        for (int round = 0; round < 10; round++)
            await RunAsync(way, Random.Shared.Next(), deltas: 7);
    }

    /// <summary>The server never rests: files grow, shrink and vanish while they are read.</summary>
    [Theory]
    [InlineData(Way.Scan)]
    [InlineData(Way.ScanWithoutChecksums)]
    [InlineData(Way.Summaries)]
    public async Task BackupsUnderLoadRestore(Way way)
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(OptionsFor(way));
        var history = new RandomHistory(source.Cluster, Random.Shared.Next()) { Crashes = false };
        await history.BeginAsync();
        using var stop = new CancellationTokenSource();
        Task busy = Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
                await history.StepAsync(1);
        });
        BackupResult last = await source.BackUpAsync();
        for (int i = 0; i < 4; i++)
            last = await source.BackUpAsync(source.Options with { Type = BackupTypeRequest.Delta });
        await stop.CancelAsync();
        await busy;
        string content = await ClusterContent.DescribeAsync(source.Cluster.ConnectionStringFor);
        await source.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        await source.WaitForArchiveAsync();
        await CompareAsync(source, last.Name, null, history.Told); // Where it becomes consistent, there is no telling what was in it.
        await CompareAsync(source, last.Name, content, history.Told, toTheEnd: true);
    }

    /// <summary>
    /// A mark that was set before a delta, and the map's page that comes back by replay as a full-page image: without data checksums neither is seen by an LSN.
    /// </summary>
    [Theory]
    [InlineData(BackupMode.Auto, true)]
    [InlineData(BackupMode.Auto, false)]
    [InlineData(BackupMode.Remote, true)]
    public async Task MarksOfPagesSurviveAReplayedMap(BackupMode mode, bool parentKnowsThem)
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(OptionsFor(Way.ScanWithoutChecksums));
        var history = new RandomHistory(source.Cluster, 1) { Crashes = false };
        await history.BeginAsync();
        await source.Cluster.ExecuteAsync("TRUNCATE a; ALTER TABLE a SET (autovacuum_enabled = off); INSERT INTO a SELECT i, 0, repeat('x', 200) FROM generate_series(1, 5000) i; CHECKPOINT");
        BackupOptions options = source.Options with { Server = new ServerConnectionSettings { ConnectionString = source.Cluster.ConnectionString }, Mode = mode };
        await source.BackUpAsync(options);
        await source.Cluster.ExecuteAsync("VACUUM a");
        BackupOptions delta = options with { Type = BackupTypeRequest.Delta };
        BackupResult parent = await source.BackUpAsync(delta);
        await source.Cluster.ExecuteAsync("CHECKPOINT");
        if (!parentKnowsThem)
            await ForgetMarksAsync(source, parent.Name);
        BackupResult last = await source.BackUpAsync(delta);
        string table = "/" + await source.Cluster.ScalarAsync<string>("SELECT pg_relation_filepath('a')");
        var checker = new WalGBackupChecker(source.RepositoryPath, last.Name);
        await checker.CheckAsync();
        // The second delta has the marks again only when it cannot know that the first has them.
        Assert.Equal(parentKnowsThem, !checker.Members.ContainsKey(table));
        await source.Cluster.ExecuteAsync("INSERT INTO a SELECT i, 0, repeat('y', 200) FROM generate_series(5001, 5050) i");
        await source.Cluster.ExecuteAsync("VACUUM a");
        string content = await ClusterContent.DescribeAsync(source.Cluster.ConnectionStringFor);
        await source.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        await source.WaitForArchiveAsync();
        await CompareAsync(source, last.Name, content, history.Told, toTheEnd: true);
    }

    [Theory]
    [InlineData(Way.Scan)]
    [InlineData(Way.ScanWithoutChecksums)]
    [InlineData(Way.Summaries)]
    [InlineData(Way.Mixed)]
    public Task AnyHistoryRestoresWhenTheServerSendsIt(Way way) => RunAsync(way, Random.Shared.Next(), deltas: 3, sent: true);

    /// <summary>How changes are found.</summary>
    public enum Way
    {
        Scan,
        ScanWithoutChecksums,
        Summaries,

        /// <summary>Now by summaries, now by scan, without checksums.</summary>
        Mixed,
    }

    private static async Task RunAsync(Way way, int seed, int deltas, bool sent = false)
    {
        await using BackedUpCluster source = await BackedUpCluster.RunAsync(OptionsFor(way));
        var history = new RandomHistory(source.Cluster, seed);
        await history.BeginAsync();
        var random = new Random(seed);
        var taken = new List<(string Name, string Content)>();
        for (int i = 0; i <= deltas; i++)
        {
            await history.StepAsync(random.Next(1, 12));
            if (way == Way.Mixed)
            {
                await source.Cluster.ExecuteAsync($"ALTER SYSTEM SET summarize_wal = {(random.Next(3) == 0 ? "off" : "on")}");
                await source.Cluster.ExecuteAsync("SELECT pg_reload_conf()");
            }
            string content = await ClusterContent.DescribeAsync(source.Cluster.ConnectionStringFor);
            BackupOptions request = source.Options with
            {
                Server = new ServerConnectionSettings { ConnectionString = source.Cluster.ConnectionString },
                // Chains of both kinds: a server's archive tells files in whole seconds.
                Mode = sent && (i == deltas || random.Next(3) > 0) ? BackupMode.Remote : BackupMode.Auto,
                Type = i == 0 ? BackupTypeRequest.Full : BackupTypeRequest.Delta,
                DeltaOrigin = random.Next(4) == 0 ? DeltaOrigin.LatestFull : DeltaOrigin.Latest,
            };
            var log = new RecordingLog();
            BackupResult result;
            try
            {
                result = await source.BackUpAsync(request, log);
            }
            catch (PgBackupException error) when (sent && error.Id == "DatabaseMadeAnew")
            {
                // Dropped and made again under its OID since the parent, which a server that sends tells too late: a new chain begins, as the message advises.
                result = await source.BackUpAsync(request with { Type = BackupTypeRequest.Full }, log);
            }
            if (i > 0 && way == Way.Summaries)
                Assert.Contains(log.Of(LogLevel.Verbose), line => line.Contains("taken from WAL summaries", StringComparison.Ordinal));
            taken.Add((result.Name, content));
            await new WalGBackupChecker(source.RepositoryPath, result.Name).CheckAsync();
        }
        await history.StepAsync(random.Next(1, 6));
        string atTheEnd = await ClusterContent.DescribeAsync(source.Cluster.ConnectionStringFor);
        await source.Cluster.ExecuteAsync("SELECT pg_switch_wal()");
        await source.WaitForArchiveAsync();
        await CompareAsync(source, taken[^1].Name, atTheEnd, history.Told, toTheEnd: true);
        int earlier = random.Next(1, deltas);
        foreach ((string name, string content) in new[] { taken[^1], taken[earlier] })
            await CompareAsync(source, name, content, history.Told);
    }

    // A delta of wal-g's: it does not tell of marks.
    private static async Task ForgetMarksAsync(BackedUpCluster source, string name)
    {
        string path = Path.Combine(source.RepositoryPath, "basebackups_005", name, "files_metadata.json");
        string text = await File.ReadAllTextAsync(path);
        string without = System.Text.RegularExpressions.Regex.Replace(text, "\"AllVisibleBlocks\":\"[^\"]*\",", "");
        Assert.NotEqual(text, without);
        await File.WriteAllTextAsync(path, without);
    }

    private static PostgresClusterOptions OptionsFor(Way way) => new()
    {
        Tools = way is Way.Summaries or Way.Mixed ? PostgresTools.OfMajor(17) : PostgresTools.OfMajor(15),
        DataChecksums = way is Way.Scan or Way.Summaries,
        Settings = way is Way.Summaries or Way.Mixed ? new Dictionary<string, string> { ["summarize_wal"] = "on" } : [],
    };

    private static async Task CompareAsync(BackedUpCluster source, string name, string? content, string told, bool toTheEnd = false)
    {
        using var folder = new TempFolder();
        string data = folder.Combine("data");
        var spaces = new Dictionary<string, string>();
        foreach (string link in Directory.GetFileSystemEntries(Path.Combine(source.Cluster.DataDirectory, "pg_tblspc")))
            spaces[Path.GetFileName(link)] = folder.Combine("space-" + Path.GetFileName(link));
        await WalGRestore.ForwardAsync(source.RepositoryPath, name, data, spaces);
        await AssertOursIsTheSameAsync(source, name, data, spaces, folder);
        foreach (string space in spaces.Values)
            ServerAccount.Current.Own(space);
        // tablespace_map would lead the server back to the source's folders.
        File.WriteAllText(Path.Combine(data, "tablespace_map"), string.Concat(spaces.Select(s => $"{s.Key} {s.Value}\n")));
        await using RecoveredServer restored = await RecoveredServer.StartAsync(
            source, data, toTheEnd ? "" : "recovery_target = 'immediate'\nrecovery_target_action = 'promote'\n");
        string restoredContent = await ClusterContent.DescribeAsync(restored.ConnectionStringFor);
        if (toTheEnd)
            (content, restoredContent) = (WithoutSequence(content!), WithoutSequence(restoredContent));
        if (content is not null)
            Assert.Equal($"{name}\n{content}", $"{name}\n{restoredContent}");
        string faults = await ClusterContent.FaultsAsync(restored.ConnectionStringFor("postgres"));
        Assert.True(faults.Length == 0, $"{name}: {faults}\n{told}");
    }

    // The log is ahead of a sequence by up to 32 values, and replay leaves it there.
    private static string WithoutSequence(string content) => string.Join('\n', content.Split('\n').Where(l => !l.Contains("public.s ", StringComparison.Ordinal)));

    /// <summary>Our restore goes the other way, newest first; the files are the same.</summary>
    private static async Task AssertOursIsTheSameAsync(BackedUpCluster source, string name, string expected, Dictionary<string, string> spaces, TempFolder folder)
    {
        PointInTimeRestore restore = await PointInTimeRestore.PrepareAsync(source.Repository, new RestoreOptions
        {
            Request = new RestoreRequest
            {
                Target = RestoreTarget.Immediate,
                Name = name,
                DataDirectory = folder.Combine("ours"),
                RestoreCommand = "false",
                TablespaceMapping = OriginalSpaces(source, spaces.Keys).ToDictionary(s => s.Value, s => folder.Combine("our-space-" + s.Key)),
            },
        });
        RestoreResult ours = await restore.RunAsync();
        foreach ((string mine, string theirs) in spaces.Select(s => (folder.Combine("our-space-" + s.Key), s.Value)).Append((ours.DataDirectory, expected)))
        {
            string[] files = [.. FilesOf(theirs)];
            Assert.Equal(files, FilesOf(mine));
            foreach (string file in files)
                Assert.True(File.ReadAllBytes(Path.Combine(mine, file)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(theirs, file))), file);
        }

        static IEnumerable<string> FilesOf(string root) => Directory
            .EnumerateFiles(root, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint })
            .Select(f => Path.GetRelativePath(root, f))
            .Where(f => f is not ("recovery.signal" or "postgresql.auto.conf" or "tablespace_map" or "current_logfiles"))
            .Order(StringComparer.Ordinal);
    }

    private static Dictionary<string, string> OriginalSpaces(BackedUpCluster source, IEnumerable<string> oids) =>
        oids.ToDictionary(oid => oid, oid => new DirectoryInfo(Path.Combine(source.Cluster.DataDirectory, "pg_tblspc", oid)).LinkTarget!);
}
