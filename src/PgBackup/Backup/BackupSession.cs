using System.Diagnostics;
using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Server;

namespace PgBackup.Backup;

/// <summary>What pg_backup_stop hands over.</summary>
/// <param name="FinishLsn">Where the cluster becomes consistent.</param>
/// <param name="Label">The content of backup_label.</param>
/// <param name="TablespaceMap">The content of tablespace_map; empty without tablespaces.</param>
/// <param name="FinishTime">The server's clock.</param>
internal sealed record BackupStop(Lsn FinishLsn, string Label, string TablespaceMap, DateTimeOffset FinishTime);

/// <summary>
/// The server's side of a base backup: one session that holds an advisory lock, starts and stops a non-exclusive backup, and is closed whatever happens; with
/// the session the server gives up a backup that was not stopped.
/// </summary>
internal sealed class BackupSession : IAsyncDisposable
{
    // "PgBackup" in ASCII. Advisory locks are per database and per server: the session is always in the maintenance database.
    private const long LockKey = 0x5067_4261_636B_7570;

    // The server needs a moment to notice that a session which held the lock has gone.
    private static readonly TimeSpan s_lockPatience = TimeSpan.FromSeconds(2);

    private readonly ServerSession _session;
    private readonly SemaphoreSlim _oneAtATime = new(1, 1);
    private bool _beganOnStandby;

    private BackupSession(ServerSession session)
    {
        _session = session;
    }

    public ServerSession Server => _session;

    /// <summary>Connects and takes the lock. Throws <c>BackupInProgress</c>.</summary>
    public static async Task<BackupSession> OpenAsync(ServerConnectionSettings settings, CancellationToken cancellationToken)
    {
        ServerSession session = await ServerSession.OpenMaintenanceAsync(settings, cancellationToken).ConfigureAwait(false);
        try
        {
            var clock = Stopwatch.StartNew();
            while (!await session.ScalarAsync<bool>("SELECT pg_try_advisory_lock($1)", cancellationToken, LockKey).ConfigureAwait(false))
            {
                if (clock.Elapsed > s_lockPatience)
                    throw PgErrors.AnotherBackupOnServer(session.Server);
                await Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken).ConfigureAwait(false);
            }
            return new BackupSession(session);
        }
        catch
        {
            await session.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Notes that a backup begins on a standby which this session does not start itself: from here on a promotion is noticed.</summary>
    public void BeginsOnStandby() => _beganOnStandby = true;

    /// <summary>Begins the backup; returns when its checkpoint, or on a standby its restartpoint, is done. Throws <c>FullPageWritesOff</c>.</summary>
    public async Task<(Lsn StartLsn, DateTimeOffset StartTime)> StartAsync(string label, bool fast, CancellationToken cancellationToken)
    {
        _beganOnStandby = await _session.ScalarAsync<bool>("SELECT pg_is_in_recovery()", cancellationToken).ConfigureAwait(false);
        string call = _session.MajorVersion >= 15 ? "pg_backup_start($1, $2)" : "pg_start_backup($1, $2, false)";
        List<(Lsn, DateTimeOffset)> rows = await AskAsync(
            $"SELECT clock_timestamp(), ({call})::text", Read, cancellationToken, label, fast).ConfigureAwait(false);
        return rows[0];

        static (Lsn, DateTimeOffset) Read(NpgsqlDataReader row) => (Lsn.Parse(row.GetString(1)), row.GetFieldValue<DateTimeOffset>(0));
    }

    /// <summary>
    /// Ends the backup without waiting for its WAL: the wait is ours, against the repository. Throws <c>StandbyPromoted</c>, <c>FullPageWritesOff</c>.
    /// </summary>
    public async Task<BackupStop> StopAsync(CancellationToken cancellationToken)
    {
        string call = _session.MajorVersion >= 15 ? "pg_backup_stop(wait_for_archive => false)" : "pg_stop_backup(false, false)";
        List<BackupStop> rows = await AskAsync(
            $"SELECT lsn::text, labelfile, coalesce(spcmapfile, ''), clock_timestamp() FROM {call}", Read, cancellationToken).ConfigureAwait(false);
        return rows[0];

        static BackupStop Read(NpgsqlDataReader row) =>
            new(Lsn.Parse(row.GetString(0)), row.GetString(1), row.GetString(2), row.GetFieldValue<DateTimeOffset>(3));
    }

    /// <summary>The end of WAL now: on a standby, of what it has. May be asked by several threads. Throws <c>StandbyPromoted</c>: such a backup is for nothing.</summary>
    public async Task<Lsn> WalEndAsync(CancellationToken cancellationToken)
    {
        await _oneAtATime.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            List<(bool InRecovery, Lsn End)> rows = await _session.QueryAsync(
                """
                SELECT r, coalesce(CASE WHEN r THEN greatest(pg_last_wal_replay_lsn(), pg_last_wal_receive_lsn()) ELSE pg_current_wal_insert_lsn() END, '0/0')::text
                FROM pg_is_in_recovery() r
                """,
                static row => (row.GetBoolean(0), Lsn.Parse(row.GetString(1))), cancellationToken).ConfigureAwait(false);
            return _beganOnStandby && !rows[0].InRecovery ? throw PgErrors.StandbyPromoted(_session.Server) : rows[0].End;
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    /// <summary>
    /// What pg_stat_archiver says of the last failure, if it is newer than the last success, and of a standby who archives for it; for the error of a wait that ran out.
    /// </summary>
    public async Task<string?> ArchiverComplaintAsync(bool isStandby, CancellationToken cancellationToken)
    {
        string? complaint = await _session.ScalarAsync<string>(
            """
            SELECT format('The server''s archiver failed last with %s at %s.', last_failed_wal, last_failed_time)
            FROM pg_stat_archiver WHERE last_failed_time > coalesce(last_archived_time, '-infinity')
            """,
            cancellationToken).ConfigureAwait(false);
        return isStandby ? StandbyChecks.ArchiveHint + (complaint is null ? "" : " " + complaint) : complaint;
    }

    private async Task<List<T>> AskAsync<T>(string sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken, params object[] parameters)
    {
        try
        {
            return await _session.QueryAsync(sql, read, cancellationToken, parameters).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (_beganOnStandby && error.InnerException is PostgresException { SqlState: StandbyChecks.Refusal })
        {
            throw await StandbyChecks.OfRefusalAsync(_session, error, cancellationToken).ConfigureAwait(false);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _session.DisposeAsync().ConfigureAwait(false);
        _oneAtATime.Dispose();
    }
}
