using System.Diagnostics;
using PgBackup.Restore;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Wal.Native;

/// <summary>SIGKILL at random instants of a server under load that archives by the native command: no file is missing, none is wrong, and everything can be restored.</summary>
public sealed class KilledUnderLoadTests
{
    private const string Invariants = """
        SELECT (SELECT count(*) FROM pgbench_history) || ' ' || (SELECT coalesce(sum(delta), 0) FROM pgbench_history) || ' ' || (SELECT sum(abalance) FROM pgbench_accounts)
            || ' ' || (SELECT sum(tbalance) FROM pgbench_tellers) || ' ' || (SELECT sum(bbalance) FROM pgbench_branches)
        """;

    [Fact]
    public Task NothingIsLostAndNothingIsWrong() => RunAsync(rounds: 20);

    [Fact]
    [Trait("Category", "Full")]
    public Task NothingIsLostAndNothingIsWrongInManyRounds() => RunAsync(rounds: 200);

    private static async Task RunAsync(int rounds)
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        await using var lab = new NativeServerLab();
        PostgresCluster cluster = await lab.RunAsync(new PostgresClusterOptions { WalSegmentMegabytes = 1, Settings = new Dictionary<string, string> { ["max_wal_size"] = "32MB" } });
        await lab.ArchiveAsync(cluster);
        await lab.Restores.BackupAsync(cluster.ConnectionString);
        // For a moment nothing can be archived: a backlog that is stored ahead.
        await SetCommandAsync(cluster, "false");
        await cluster.RunToolAsync("pgbench", "-i", "-q", "-s", "2");
        // Again at once: the server itself would wait for ten seconds after a command that was killed.
        string codes = lab.Folder.Combine("codes");
        await SetCommandAsync(cluster, $"{lab.KeepCommand} && for i in 1 2 3 4; do {lab.PushCommand}; code=$?; echo $code >>'{codes}'; test $code -eq 0 && exit 0; done; exit 1");

        int killed = 0;
        using var stop = new CancellationTokenSource();
        Task load = LoadAsync(cluster, stop.Token);
        for (int round = 1; round <= rounds; round++)
        {
            IReadOnlyList<int> pushing = [];
            await NativeServerLab.UntilAsync(() => (pushing = lab.Processes("push")).Count > 0, TimeSpan.FromMinutes(1), () => $"Seed {seed}, round {round}.\n{File.ReadAllText(cluster.LogFile)}");
            await Task.Delay(random.Next(40));
            if (round % 7 == 0)
            {
                // The push that runs goes on for a while without its server.
                await cluster.Kill9Async();
                await cluster.StartAsync();
            }
            if (round % 7 != 0 || random.Next(2) == 0)
                NativeServerLab.Kill(pushing);
            killed++;
        }
        await stop.CancelAsync();
        await load;
        Assert.Equal(rounds, killed);

        // First: reading prunes pages, and that fills segments which are then still on their way.
        string expected = await cluster.ScalarAsync<string>(Invariants);
        await lab.ArchiveAsync(cluster);
        string[] sums = expected.Split(' ');
        Assert.True(sums[1..].Distinct().Count() == 1 && int.Parse(sums[0], null) > 100, $"Seed {seed}: {expected}");
        int files = await lab.ProveArchiveAsync();
        Assert.True(files > rounds / 2, $"Seed {seed}: only {files} files were archived.");
        RequireNoGap(lab);
        Assert.Contains("137", File.ReadAllLines(codes));

        RestoreResult restored = await lab.Restores.RestoreAsync(RestoreTarget.Latest);
        Assert.True(expected == await RestoreLab.QueryAsync(restored, Invariants), $"Seed {seed}: restored is something else than {expected}.");
        Assert.Contains("was taken from what had been fetched ahead", File.ReadAllText(lab.FetchLog), StringComparison.Ordinal);
    }

    private static async Task SetCommandAsync(PostgresCluster cluster, string command)
    {
        await cluster.ExecuteAsync($"ALTER SYSTEM SET archive_command = '{command.Replace("'", "''", StringComparison.Ordinal)}'");
        await cluster.ExecuteAsync("SELECT pg_reload_conf()");
    }

    private static async Task LoadAsync(PostgresCluster cluster, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await cluster.RunToolAsync("pgbench", "-n", "-c", "3", "-T", "2");
            }
            catch (InvalidOperationException)
            {
                await Task.Delay(50, CancellationToken.None); // Its server was killed.
            }
        }
    }

    private static void RequireNoGap(NativeServerLab lab)
    {
        string[] names = [.. Directory.GetFiles(lab.WalFolder, "0*.zst").Select(static path => Path.GetFileName(path)![..^4]).Where(static name => name.Length == 24).Order(StringComparer.Ordinal)];
        var size = new WalSegmentSize(1 << 20);
        for (int i = 1; i < names.Length; i++)
            Assert.Equal(WalSegmentName.Parse(names[i - 1]).NextFor(size).ToString(), names[i]);
    }
}
