using System.Diagnostics;
using Npgsql;

namespace PgBackup.Tests.Kit;

public sealed partial class PostgresCluster
{
    /// <summary>
    /// Starts a standby of this cluster that streams from it: a copy of the data directory while the server is in backup mode, by SQL alone, so that it works for servers
    /// without client tools. Nothing else may write meanwhile.
    /// </summary>
    public async Task<PostgresCluster> RunStandbyAsync(IReadOnlyDictionary<string, string>? settings = null)
    {
        PostgresCluster standby = new(_options);
        try
        {
            _account.Own(standby.Folder);
            _account.CreateFolder(standby.SocketDirectory, TempFolder.Traversable);
            await CopyDataDirectoryAsync(standby.DataDirectory);
            Append(Path.Combine(standby.DataDirectory, "postgresql.conf"), new Dictionary<string, string>
            {
                ["unix_socket_directories"] = standby.SocketDirectory,
                ["primary_conninfo"] = $"host=127.0.0.1 port={Port} user=postgres",
                ["wal_retrieve_retry_interval"] = "100ms",
            });
            Append(Path.Combine(standby.DataDirectory, "postgresql.conf"), settings ?? new Dictionary<string, string>());
            await File.WriteAllTextAsync(Path.Combine(standby.DataDirectory, "standby.signal"), "");
            _account.Own(standby.DataDirectory);
            await standby.StartAsync();
            await standby.WaitForReplayAsync(await WalEndAsync());
        }
        catch
        {
            await standby.DisposeAsync();
            throw;
        }
        return standby;
    }

    /// <summary>
    /// The end of what this server has flushed; of a standby, of what it has replayed. Not of what was inserted: behind a switch that is the next segment's header, which is
    /// replayed with the next record only.
    /// </summary>
    public Task<string> WalEndAsync() =>
        ScalarAsync<string>("SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END)::text");

    /// <summary>Waits until this standby has replayed up to an LSN.</summary>
    public async Task WaitForReplayAsync(string lsn)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!await ScalarAsync<bool>($"SELECT coalesce(pg_last_wal_replay_lsn() >= '{lsn}', false)"))
        {
            if (waited.Elapsed > TimeSpan.FromMinutes(1))
                throw new InvalidOperationException($"The standby in '{DataDirectory}' has not replayed up to {lsn} after a minute.\n{await File.ReadAllTextAsync(LogFile)}");
            await Task.Delay(20);
        }
    }

    private async Task CopyDataDirectoryAsync(string target)
    {
        (string start, string stop) = Tools.Major >= 15
            ? ("pg_backup_start('standby', true)", "pg_backup_stop(false)")
            : ("pg_start_backup('standby', true, false)", "pg_stop_backup(false, false)");
        await using NpgsqlConnection connection = new(ConnectionString);
        await connection.OpenAsync();
        await using NpgsqlCommand command = new($"SELECT {start}::text", connection);
        await command.ExecuteScalarAsync();
        // Without the log, which is streamed again: it comes and goes while it is copied.
        _account.CreateFolder(target);
        const string Copy = "tar -C \"$0\" --exclude='./pg_wal/*' -cf - . | tar -C \"$1\" -xf -";
        (await _account.RunAsync("/bin/sh", ["-c", Copy, DataDirectory, target])).EnsureSuccess();
        command.CommandText = $"SELECT labelfile FROM {stop}";
        await File.WriteAllTextAsync(Path.Combine(target, "backup_label"), (string)(await command.ExecuteScalarAsync())!);
        File.Delete(Path.Combine(target, "postmaster.pid"));
    }
}
