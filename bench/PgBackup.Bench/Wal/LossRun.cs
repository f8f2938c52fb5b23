using System.Diagnostics;
using System.Globalization;
using Npgsql;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench.Wal;

/// <summary>
/// What the loss of the server's machine costs: all its processes are killed under load, and what a restore from the repository alone brings back is held against what the client was told.
/// By archiving, by streaming, and by streaming with commits that wait for it.
/// </summary>
internal sealed class LossRun(BenchOptions options, Ground ground, CancellationToken cancellationToken)
{
    private const string Slot = "bench";
    private const int RestorePort = 54999;

    // As Receive-PgWal's own default; and what putting a piece may take beside it.
    private static readonly TimeSpan s_maxLag = TimeSpan.FromSeconds(5), s_most = s_maxLag + TimeSpan.FromSeconds(2);

    private readonly FolderHome _home = new(Path.Combine(ground.CreateFolder("pgbackup"), "repo"));
    private readonly string _restored = Path.Combine(ground.CreateFolder("restores"), "data");

    /// <summary>Runs it all and prints the report.</summary>
    public static async Task RunAsync(BenchOptions options, CancellationToken cancellationToken)
    {
        await using Ground ground = await Ground.CreateAsync(options, PostgresTools.Complete, cancellationToken);
        await new LossRun(options, ground, cancellationToken).RunAsync();
    }

    private async Task RunAsync()
    {
        await _home.PrepareAsync(cancellationToken);
        await ground.Cluster.ExecuteAsync("CREATE TABLE acknowledged (n bigint, told timestamptz)");
        var losses = new Dictionary<string, List<Loss>>(StringComparer.Ordinal);
        await BenchCluster.ArchiveByAsync(ground.Cluster, $"'{ground.Module.NativeCommand}' push '%p' --repository '{_home.Repository}'");
        await BackUpAsync();
        losses["archive_command, a server that writes on"] = await KillAsync();

        using Process receiver = ground.Module.Start(_home, $"Receive-PgWal {Slot} -CreateSlot {Connection} -Repository '{_home.Repository}' | Out-Null");
        try
        {
            await AttendedAsync();
            losses["Receive-PgWal"] = await KillAsync();
            await ground.Cluster.ExecuteAsync($"ALTER SYSTEM SET synchronous_standby_names = '{Slot}'");
            await ground.Cluster.ExecuteAsync("SELECT pg_reload_conf()");
            await Task.Delay(TimeSpan.FromSeconds(4), cancellationToken); // It looks every few seconds.
            losses["Receive-PgWal, synchronous"] = await KillAsync();
        }
        finally
        {
            receiver.Kill(entireProcessTree: true);
            await receiver.WaitForExitAsync(CancellationToken.None);
        }
        Print(losses);
    }

    private string Connection => $"-HostName 127.0.0.1 -Port {ground.Cluster.Port} -UserName postgres";

    private Task BackUpAsync() =>
        ground.Module.RunAsync(_home, $"Backup-PgCluster {Connection} -Repository '{_home.Repository}' | Out-Null", cancellationToken);

    private async Task AttendedAsync()
    {
        DateTime patience = DateTime.UtcNow.AddSeconds(30);
        while (!await ground.Cluster.ScalarAsync<bool>($"SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '{Slot}' AND active)"))
        {
            if (DateTime.UtcNow > patience)
                throw new InvalidOperationException("Nobody receives WAL.");
            await Task.Delay(100, cancellationToken);
        }
    }

    private async Task<List<Loss>> KillAsync()
    {
        var losses = new List<Loss>();
        bool isReceived = await ground.Cluster.ScalarAsync<bool>($"SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = '{Slot}')");
        for (int round = 1; round <= options.Rounds; round++)
        {
            if (isReceived)
                await AttendedAsync();
            await ground.Cluster.ExecuteAsync("TRUNCATE acknowledged");
            var load = new Acknowledgements(ground.Cluster.ConnectionString);
            await using (await ForeignLoad.StartAsync(ground, cancellationToken))
            {
                Task working = load.RunAsync();
                await Task.Delay(TimeSpan.FromSeconds(3 + (Random.Shared.NextDouble() * 6)), cancellationToken);
                await ground.Cluster.Kill9Async();
                await working;
            }
            losses.Add(await MeasureAsync(load));
            Console.WriteLine($"  {round,3}: {losses[^1].Commits} of {load.Last} commits, {losses[^1].Time.TotalSeconds:F2} s");
            await ground.Cluster.StartAsync();
        }
        return losses;
    }

    private async Task<Loss> MeasureAsync(Acknowledgements load)
    {
        // What the receiver has got it puts away, wherever it runs.
        await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
        if (Directory.Exists(_restored))
            Directory.Delete(_restored, recursive: true);
        await ground.Module.RunAsync(
            _home, $"Restore-PgPointInTime -Latest -Repository '{_home.Repository}' -DataDirectory '{_restored}' -Start -Port {RestorePort} | Out-Null", cancellationToken);
        try
        {
            await using var connection = new NpgsqlConnection($"Host=127.0.0.1;Port={RestorePort};Username=postgres;Database=postgres;Pooling=false");
            await connection.OpenAsync(cancellationToken);
            await using var query = new NpgsqlCommand("SELECT coalesce(max(n), 0) FROM acknowledged", connection);
            long found = (long)(await query.ExecuteScalarAsync(cancellationToken))!;
            return new Loss(Math.Max(0, load.Last - found), load.Since(found));
        }
        finally
        {
            (await ServerAccount.Current.RunAsync(ground.Cluster.Tools.Tool("pg_ctl"), ["-D", _restored, "-m", "immediate", "-w", "stop"], CancellationToken.None)).EnsureSuccess();
        }
    }

    private void Print(Dictionary<string, List<Loss>> losses)
    {
        var report = new Report(Console.Out);
        report.Describe(ground, options.Rounds);
        Console.WriteLine("\n| after kill -9 of the server under load | rounds | commits lost, most | time lost, median | time lost, most |\n|---|---|---|---|---|");
        foreach ((string name, List<Loss> all) in losses)
        {
            double[] times = [.. all.Select(static loss => loss.Time.TotalSeconds)];
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {name} | {all.Count} | {all.Max(static loss => loss.Commits)} | {Rounds.Median(times):F2} s | {times.Max():F2} s |"));
        }
        report.Goals([
            new Goal("seconds lost by streaming at most MaxLag + 2", losses["Receive-PgWal"].Max(static loss => loss.Time.TotalSeconds), s_most.TotalSeconds),
            new Goal("commits lost by synchronous streaming", losses["Receive-PgWal, synchronous"].Max(static loss => loss.Commits), 0, "F0"),
        ]);
    }

    /// <summary>What one kill cost.</summary>
    private sealed record Loss(long Commits, TimeSpan Time);

    /// <summary>A client that commits one row after the other and remembers when it was told so.</summary>
    private sealed class Acknowledgements(string connectionString)
    {
        private readonly List<long> _told = [];

        /// <summary>The last row that it was told of.</summary>
        public long Last => _told.Count;

        /// <summary>Until the server is gone.</summary>
        public async Task RunAsync()
        {
            try
            {
                await using var connection = new NpgsqlConnection(connectionString);
                await connection.OpenAsync();
                while (true)
                {
                    await using var insert = new NpgsqlCommand($"INSERT INTO acknowledged VALUES ({_told.Count + 1}, clock_timestamp())", connection);
                    await insert.ExecuteNonQueryAsync();
                    _told.Add(Stopwatch.GetTimestamp());
                    await Task.Delay(5);
                }
            }
            catch (NpgsqlException)
            {
                // That is what it waits for.
            }
        }

        /// <summary>From when a row was told of until the last one was.</summary>
        public TimeSpan Since(long row) => row >= Last || Last == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(_told[(int)Math.Max(0, row - 1)], _told[^1]);
    }
}
