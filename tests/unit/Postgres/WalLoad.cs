using System.Globalization;
using Npgsql;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.WalRecords;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Postgres;

/// <summary>Servers that write WAL of many kinds.</summary>
internal static class WalLoad
{
    /// <summary>A running server that keeps all its WAL.</summary>
    public static Task<PostgresCluster> RunAsync(int segmentMegabytes) => PostgresCluster.RunAsync(new PostgresClusterOptions
    {
        WalSegmentMegabytes = segmentMegabytes,
        Settings = new Dictionary<string, string>
        {
            ["wal_keep_size"] = "4GB",
            ["max_wal_size"] = "8GB",
            ["max_prepared_transactions"] = "10",
            ["autovacuum"] = "off",
            ["synchronous_commit"] = "off",
            ["max_connections"] = "25",
        },
    });

    /// <summary>Commits, aborts, prepared transactions, restore points, checkpoints, switches, a backup, records bigger than segments.</summary>
    public static async Task WriteAsync(PostgresCluster cluster, int messageBytes)
    {
        await cluster.RunToolAsync("pgbench", "-i", "-q", "-s", "1");
        await cluster.RunToolAsync("pgbench", "-c", "2", "-t", "200");
        await using NpgsqlConnection connection = new(cluster.ConnectionString);
        await connection.OpenAsync();
        async Task Run(params string[] statements)
        {
            foreach (string sql in statements)
            {
                await using NpgsqlCommand command = new(sql, connection);
                await command.ExecuteNonQueryAsync();
            }
        }
        await Run(
            "CREATE TABLE a AS SELECT g AS i, repeat('x', 500) AS t FROM generate_series(1, 3000) g",
            "BEGIN", "INSERT INTO a VALUES (1, 'aborted')", "ROLLBACK",
            "BEGIN", "INSERT INTO a VALUES (2, '')", "SAVEPOINT s", "INSERT INTO a VALUES (3, '')", "RELEASE s",
            "CREATE TABLE b (i int)", "DROP TABLE a", "PREPARE TRANSACTION 'first'", "CHECKPOINT", "COMMIT PREPARED 'first'",
            "BEGIN", "CREATE TABLE c AS SELECT 1 AS i", "PREPARE TRANSACTION 'second'", "ROLLBACK PREPARED 'second'",
            "SELECT pg_create_restore_point('plain')", $"SELECT pg_create_restore_point('{new string('n', 63)}')",
            "SELECT pg_switch_wal()", "INSERT INTO b SELECT generate_series(1, 100)",
            $"SELECT pg_logical_emit_message(false, 'big', repeat('y', {messageBytes}))",
            "SELECT pg_create_restore_point('behind the big one')",
            "SELECT pg_backup_start('b', true)", "UPDATE b SET i = i + 1", "SELECT pg_backup_stop(false)", "VACUUM b",
            "BEGIN", "INSERT INTO b VALUES (9)", "COMMIT");
    }

    /// <summary>Stops the server cleanly, starts recovery without an archive and lets it promote to a new timeline.</summary>
    public static async Task PromoteAsync(PostgresCluster cluster)
    {
        if (cluster.IsRunning)
            await cluster.StopAsync();
        await File.AppendAllTextAsync(Path.Combine(cluster.ConfigurationDirectory, "postgresql.conf"), "restore_command = 'false'\n");
        string signal = Path.Combine(cluster.DataDirectory, "recovery.signal");
        await File.WriteAllTextAsync(signal, "");
        ServerAccount.Current.Own(signal);
        await cluster.StartAsync();
        for (int i = 0; await cluster.ScalarAsync<bool>("SELECT pg_is_in_recovery()"); i++)
        {
            Assert.True(i < 600, "the server did not promote itself");
            await Task.Delay(50);
        }
    }

    public static string WalFolder(PostgresCluster cluster) => Path.Combine(cluster.DataDirectory, "pg_wal");

    /// <summary>The LSN of the oldest segment in a folder.</summary>
    public static Lsn FirstLsn(string folder, WalSegmentSize size) => Directory.EnumerateFiles(folder)
        .Select(f => WalSegmentName.TryParse(Path.GetFileName(f), out WalSegmentName name) ? name : (WalSegmentName?)null)
        .Where(n => n is not null).Min(n => n!.Value.StartFor(size));

    /// <summary>Every record of the wanted kinds, bodies copied.</summary>
    public static async Task<(List<WalRecord> Records, WalEnd End)> ReadAllAsync(IWalSegmentSource source, WalReadOptions options)
    {
        await using WalRecordReader reader = new(source, options);
        List<WalRecord> records = [];
        while (await reader.ReadAsync(CancellationToken.None))
            records.Add(reader.Current with { Body = reader.Current.Body.ToArray() });
        return (records, reader.End!);
    }

    /// <summary>Compares record by record and, where the record has a meaning to recovery, word by word.</summary>
    public static void AssertSame(IReadOnlyList<DumpedRecord> expected, IReadOnlyList<WalRecord> actual)
    {
        for (int i = 0; i < Math.Min(expected.Count, actual.Count); i++)
        {
            WalRecord record = actual[i];
            WalEvent? happened = WalEvent.Decode(record);
            string description = happened is null ? expected[i].Description : WalDump.Describe(happened);
            Assert.StartsWith(description, expected[i].Description, StringComparison.Ordinal);
            Assert.Equal(
                expected[i] with { Description = "" },
                new DumpedRecord(record.Start, record.Previous, record.Xid, WalDump.ManagerName(record.ResourceManager), record.TotalLength, ""));
        }
        Assert.Equal(expected.Count, actual.Count);
    }

    public static string Text(WalEnd end) => string.Create(CultureInfo.InvariantCulture, $"{end.Kind} {end.Reason} {end.Position} {end.Message}");
}
