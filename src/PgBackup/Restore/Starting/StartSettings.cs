using System.Globalization;
using System.Net;
using System.Net.Sockets;
using PgBackup.Postgres.Files;

namespace PgBackup.Restore.Starting;

/// <summary>
/// The settings under which a restored server starts. What must hold for good, also when somebody starts it again by hand, stands in postgresql.auto.conf; what only
/// recovery needs is given on the command line.
/// </summary>
internal static class StartSettings
{
    // The path of a socket in it must fit into 107 bytes (unix(7)).
    private const int LongestSocketFolder = 90;

    /// <summary>A port that nobody listens on now.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>
    /// For good: a server beside the original shares no port, socket, pid file, log or statistics with it, waits for no standby of it, and does not consume from its publishers.
    /// </summary>
    public static Dictionary<string, string> Durable(string dataDirectory, int port, int? major)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["port"] = port.ToString(CultureInfo.InvariantCulture),
            ["listen_addresses"] = "127.0.0.1",
            ["unix_socket_directories"] = dataDirectory.Length <= LongestSocketFolder && !dataDirectory.Contains(',', StringComparison.Ordinal) ? dataDirectory : "",
            ["log_directory"] = "log",
            ["synchronous_standby_names"] = "",
            ["max_logical_replication_workers"] = "0",
        };
        if (major < 15)
            settings["stats_temp_directory"] = "pg_stat_tmp"; // Debian points it to a folder that servers share.
        return settings;
    }

    /// <summary>For the time of recovery: a log that can be followed, and nothing that recovery would fail for.</summary>
    public static List<string> ForRecovery(RecoveryTargetAction action, bool inPlace)
    {
        List<string> options =
        [
            "huge_pages=try", "logging_collector=off", "log_destination=stderr", "log_min_messages=warning", "log_timezone=UTC", "lc_messages=C",
            // Only a pause needs readers; without them no query can hold up replay.
            action == RecoveryTargetAction.Pause ? "hot_standby=on" : "hot_standby=off",
        ];
        if (inPlace)
            options.AddRange(["synchronous_standby_names=", "max_logical_replication_workers=0"]);
        return [.. options.SelectMany(static o => new[] { "-c", o })];
    }

    /// <summary>The settings that a server in recovery must not have smaller than the one that wrote the WAL (PostgreSQL documentation, "Administrator's Overview" of hot standby).</summary>
    public static IReadOnlyList<(string Name, int Least)> CheckedByStandby(ControlFile control) =>
    [
        ("max_connections", control.MaxConnections),
        ("max_worker_processes", control.MaxWorkerProcesses),
        ("max_wal_senders", control.MaxWalSenders),
        ("max_prepared_transactions", control.MaxPreparedTransactions),
        ("max_locks_per_transaction", control.MaxLocksPerTransaction),
    ];
}
