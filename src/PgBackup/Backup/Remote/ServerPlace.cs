using System.Globalization;
using System.Net;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Server;

namespace PgBackup.Backup.Remote;

/// <summary>Finds out whether the data directory of a server lies on this host.</summary>
internal static class ServerPlace
{
    // postmaster.pid has the second in which the postmaster began; the server's own time is taken a moment later.
    private static readonly TimeSpan s_startGrain = TimeSpan.FromSeconds(10);

    /// <summary>True when the files are to be read here: it was asked for, or they can be read and are those of this very server.</summary>
    public static async Task<bool> IsHereAsync(ServerSession server, BackupOptions options, IOperationLog log, CancellationToken cancellationToken)
    {
        if (options.Mode != BackupMode.Auto)
            return options.Mode == BackupMode.Local;
        if (options.DataDirectory is not null)
            return true;
        string? reason = await WhyElsewhereAsync(server, cancellationToken).ConfigureAwait(false);
        if (reason is not null)
            log.Verbose($"The backup is taken by the replication protocol: {reason}.");
        return reason is null;
    }

    /// <summary>True when the connection does not leave this host, and compression would save nothing.</summary>
    public static bool IsLoopback(string? host) =>
        host is null or "localhost" or ['/' or '@', ..] || (IPAddress.TryParse(host, out IPAddress? address) && IPAddress.IsLoopback(address));

    private static async Task<string?> WhyElsewhereAsync(ServerSession server, CancellationToken cancellationToken)
    {
        // A setting that the role may not see has no row.
        string? directory = await server.ScalarAsync<string>("SELECT setting FROM pg_settings WHERE name = 'data_directory'", cancellationToken).ConfigureAwait(false);
        if (directory is null)
            return "the role may not see where the data directory is";
        ControlFile control;
        string[] postmaster;
        try
        {
            control = await ControlFile.ReadAsync(directory, cancellationToken).ConfigureAwait(false);
            postmaster = await File.ReadAllLinesAsync(Path.Combine(directory, "postmaster.pid"), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (error is PgBackupException or IOException or UnauthorizedAccessException)
        {
            return $"the data directory cannot be read here ({error.Message})";
        }
        List<(ulong System, DateTimeOffset Started, string Port)> rows = await server.QueryAsync(
            "SELECT system_identifier, pg_postmaster_start_time(), current_setting('port') FROM pg_control_system()",
            static row => ((ulong)row.GetInt64(0), row.GetFieldValue<DateTimeOffset>(1), row.GetString(2)),
            cancellationToken).ConfigureAwait(false);
        (ulong system, DateTimeOffset started, string port) = rows[0];
        // Third line: when the postmaster began; fourth: its port (miscadmin.h, LOCK_FILE_LINE_…).
        bool isIt = control.SystemIdentifier == system
            && postmaster is [_, _, var second, var itsPort, ..] && itsPort.Trim() == port
            && long.TryParse(second, CultureInfo.InvariantCulture, out long epoch) && (started - DateTimeOffset.FromUnixTimeSeconds(epoch)).Duration() < s_startGrain;
        return isIt ? null : $"the data directory '{directory}' on this host is another server's";
    }
}
