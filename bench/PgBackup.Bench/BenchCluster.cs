using System.Globalization;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench;

/// <summary>The cluster that everybody backs up: pgbench's tables, a table of documents, some updates.</summary>
internal static class BenchCluster
{
    private const int Clients = 4;
    private const int TransactionsOfAClient = 10_000;

    /// <summary>Makes it, fills it and lets it come to rest.</summary>
    public static async Task<PostgresCluster> CreateAsync(BenchOptions options, PostgresTools server, CancellationToken cancellationToken)
    {
        PostgresCluster cluster = await PostgresCluster.RunAsync(new PostgresClusterOptions
        {
            Tools = server,
            Fsync = true,
            FreshIdentity = true,
            Settings = new Dictionary<string, string>(server.Major >= 17 ? [KeyValuePair.Create("summarize_wal", "on")] : [])
            {
                ["shared_buffers"] = "256MB",
                ["max_wal_size"] = "4GB",
                ["wal_level"] = "replica",
                ["archive_mode"] = "on",
                ["archive_command"] = "/bin/true", // What is written while the tables are filled, nobody needs.
                ["autovacuum"] = "off",            // The cluster is to be the same in every round.
            },
        });
        try
        {
            await cluster.RunToolAsync("pgbench", "-i", "-q", "-s", options.Scale.ToString(CultureInfo.InvariantCulture));
            cancellationToken.ThrowIfCancellationRequested();
            await Documents.LoadAsync(cluster, options.DocumentMegabytes * 1_000_000L, cancellationToken);
            await cluster.RunToolAsync("pgbench", "-n", "-c", $"{Clients}", "-j", "2", "-t", $"{TransactionsOfAClient}", "--random-seed=1");
            cancellationToken.ThrowIfCancellationRequested();
            await cluster.ExecuteAsync("VACUUM");
            await cluster.ExecuteAsync("CHECKPOINT");
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sets archive_command.</summary>
    public static async Task ArchiveByAsync(PostgresCluster cluster, string command)
    {
        await cluster.ExecuteAsync($"ALTER SYSTEM SET archive_command = '{command.Replace("'", "''", StringComparison.Ordinal)}'");
        await cluster.ExecuteAsync("SELECT pg_reload_conf()");
    }

    /// <summary>Lets the next backup begin in a segment of its own, when all before it is archived and the server has nothing left to write.</summary>
    public static async Task SettleAsync(PostgresCluster cluster, CancellationToken cancellationToken)
    {
        string segment = await cluster.ScalarAsync<string>("SELECT pg_walfile_name(pg_create_restore_point('bench'))");
        await cluster.ExecuteAsync("SELECT pg_switch_wal()");
        await cluster.ExecuteAsync("CHECKPOINT");
        DateTime patience = DateTime.UtcNow.AddMinutes(1);
        while (string.CompareOrdinal(await cluster.ScalarAsync<string>("SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver"), segment) < 0)
        {
            if (DateTime.UtcNow > patience)
                throw new InvalidOperationException($"The segment {segment} was not archived within a minute.\n{await File.ReadAllTextAsync(cluster.LogFile, cancellationToken)}");
            await Task.Delay(100, cancellationToken);
        }
    }
}
