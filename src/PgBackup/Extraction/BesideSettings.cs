using System.Globalization;
using System.Text;
using PgBackup.Restore.Fetching;
using PgBackup.Restore.Starting;

namespace PgBackup.Extraction;

/// <summary>The settings of a server that lives for one dump: reached by a socket in a private folder alone, doing nothing by itself, its files not made durable.</summary>
internal static class BesideSettings
{
    /// <summary>The number in the socket's name; nothing listens on a port.</summary>
    public const int Port = 5432;

    private const int OldestWithEventTriggersSetting = 17;

    /// <summary>The most WAL that lies in pg_wal between two checkpoints, in MB.</summary>
    private const int WalMegabytes = 512;

    /// <summary>The bytes that the log takes at most, about: what replay keeps and what it fetches.</summary>
    public static long WalSpace(long logBytes) => Math.Min(logBytes, 2L * WalMegabytes << 20);

    /// <summary>
    /// Writes the configuration, in the place of the source's: that may name libraries that are not here, jobs that must not run twice (pg_cron), or publishers.
    /// </summary>
    public static void Write(RestoreDestination destination, RestorePlan plan, string socketFolder, string restoreCommand)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["listen_addresses"] = "",
            ["port"] = Port.ToString(CultureInfo.InvariantCulture),
            ["unix_socket_directories"] = '"' + socketFolder + '"',
            ["unix_socket_permissions"] = "0700",
            ["autovacuum"] = "off",
            ["autovacuum_freeze_max_age"] = "2000000000", // Else it runs in spite of that.
            ["max_logical_replication_workers"] = "0",
            ["synchronous_standby_names"] = "",
            ["shared_buffers"] = "128MB",
            ["max_wal_size"] = $"{WalMegabytes}MB",
            ["fsync"] = "off",
            ["full_page_writes"] = "off",
            ["jit"] = "off",
            // Pages of databases that were left out are not there; see InvalidPages.
            ["ignore_invalid_pages"] = "on",
        };
        // Triggers on login could do anything.
        if (plan.Backup.ServerVersion?.Major >= OldestWithEventTriggersSetting)
            settings["event_triggers"] = "off";
        var text = new StringBuilder();
        foreach ((string name, string value) in settings)
            text.Append(ConfigurationText.Line(name, value)).Append('\n');
        destination.WriteFile("postgresql.conf", Encoding.UTF8.GetBytes(text.ToString()));
        destination.WriteFile("pg_hba.conf", "local all all trust\n"u8);
        destination.WriteFile("pg_ident.conf", default);
        destination.WriteFile("postgresql.auto.conf", default);
        RecoveryFiles.WriteSettings(destination, new Dictionary<string, string>(plan.RecoverySettings, StringComparer.Ordinal) { ["restore_command"] = restoreCommand }, $"recovery to {plan.Target}");
    }
}
