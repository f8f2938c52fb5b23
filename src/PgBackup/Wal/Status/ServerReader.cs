using System.Globalization;
using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Server;

namespace PgBackup.Wal.Status;

/// <summary>The questions to the server. What a role with few rights may not see becomes null.</summary>
internal static class ServerReader
{
    private const string Archiver = """
        SELECT archived_count, last_archived_wal, last_archived_time, failed_count, last_failed_wal, last_failed_time, stats_reset FROM pg_stat_archiver
        """;

    private const string Position = $"""
        SELECT {LogPositionSql.Lsn}, {LogPositionSql.Timeline}, r, pg_size_bytes(current_setting('wal_segment_size')), clock_timestamp(), (SELECT system_identifier FROM pg_control_system()),
               (SELECT redo_lsn::text FROM pg_control_checkpoint()), (SELECT checkpoint_time FROM pg_control_checkpoint())
        FROM (SELECT pg_is_in_recovery() AS r) AS s
        """;

    private const string Ready = """
        SELECT count(*)::int, min(modification), min(modification) FILTER (WHERE name = $1 || '.ready') FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'
        """;

    private const string Moment = """
        SELECT clock_timestamp(), CASE WHEN pg_is_in_recovery() THEN coalesce(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0')::text
               ELSE pg_current_wal_lsn()::text END, archived_count FROM pg_stat_archiver
        """;

    public static async Task<ServerFacts> ReadAsync(ServerSession session, CancellationToken cancellationToken)
    {
        ServerSettings settings = await ServerSettings.ReadAsync(session, cancellationToken).ConfigureAwait(false);
        ArchiverFacts archiver = (await session.QueryAsync(Archiver, ReadArchiver, cancellationToken).ConfigureAwait(false))[0];
        PositionRow position = (await session.QueryAsync(Position, PositionRow.Read, cancellationToken).ConfigureAwait(false))[0];
        List<SlotRow> slots = await session.QueryAsync(SlotRow.Query(session.MajorVersion), SlotRow.Read, cancellationToken).ConfigureAwait(false);
        List<ReceiverRow> receivers = await session.QueryAsync(ReceiverRow.Query, ReceiverRow.Read, cancellationToken).ConfigureAwait(false);
        // To a role without pg_read_all_stats the rows are there, and empty.
        List<WalFileRow>? files = await TryListAsync(session, "SELECT name, size, modification FROM pg_ls_waldir()", WalFileRow.Read, cancellationToken).ConfigureAwait(false);
        bool hidden = receivers.Exists(r => r.State is null);
        return new ServerFacts
        {
            Server = session.Server,
            MajorVersion = session.MajorVersion,
            Settings = settings,
            Now = position.Now,
            IsStandby = position.IsStandby,
            SystemIdentifier = position.SystemIdentifier,
            Timeline = position.Timeline,
            CurrentLsn = position.Lsn,
            RedoLsn = position.Redo,
            RedoTime = position.RedoTime,
            SegmentSize = position.SegmentSize,
            Archiver = archiver,
            Ready = await TryAsync(session, Ready, row => new ReadyFacts(row.GetInt32(0), Time(row, 1), Time(row, 2)), cancellationToken, archiver.LastFailed ?? "")
                .ConfigureAwait(false),
            // A temporary slot ends with its session: no danger, but who has one is not without.
            Slots = [.. slots.Where(s => !s.IsTemporary).Select(s => s.ToStatus(position.Lsn, receivers))],
            Receivers = hidden ? null : [.. receivers.Select(r => r.ToStatus(position.Lsn, slots))],
            WalBytes = files?.Sum(f => f.Size),
            WalFiles = files is null ? null : [.. files.Where(f => f.Segment is not null).Select(f => new WalFileFacts(f.Segment!.Value, f.Written))],
        };
    }

    public static async Task<WalMoment> ReadMomentAsync(ServerSession session, CancellationToken cancellationToken) =>
        (await session.QueryAsync(Moment, row => new WalMoment(row.GetFieldValue<DateTimeOffset>(0), Lsn.Parse(row.GetString(1)), row.GetInt64(2)), cancellationToken)
            .ConfigureAwait(false))[0];

    internal static DateTimeOffset? Time(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetFieldValue<DateTimeOffset>(column);

    internal static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    internal static Lsn? LsnOf(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : Lsn.Parse(row.GetString(column));

    private static async Task<T?> TryAsync<T>(
        ServerSession session, string sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken, params object[] parameters)
        where T : class =>
        (await TryListAsync(session, sql, read, cancellationToken, parameters).ConfigureAwait(false))?[0];

    private static async Task<List<T>?> TryListAsync<T>(
        ServerSession session, string sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken, params object[] parameters)
    {
        try
        {
            return await session.QueryAsync(sql, read, cancellationToken, parameters).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "InsufficientPrivilege")
        {
            return null;
        }
    }

    private static ArchiverFacts ReadArchiver(NpgsqlDataReader row) =>
        new(row.GetInt64(0), Text(row, 1), Time(row, 2), row.GetInt64(3), Text(row, 4), Time(row, 5), Time(row, 6));

    private readonly record struct WalFileRow(WalSegmentName? Segment, long Size, DateTimeOffset Written)
    {
        public static WalFileRow Read(NpgsqlDataReader row) => new(
            WalSegmentName.TryParse(row.GetString(0), out WalSegmentName name) ? name : null, row.GetInt64(1), row.GetFieldValue<DateTimeOffset>(2));
    }

    private sealed record PositionRow(Lsn Lsn, TimelineId Timeline, bool IsStandby, WalSegmentSize SegmentSize, DateTimeOffset Now, ulong SystemIdentifier, Lsn Redo, DateTimeOffset RedoTime)
    {
        public static PositionRow Read(NpgsqlDataReader row)
        {
            return new(
                Lsn.Parse(row.GetString(0)), new TimelineId(uint.Parse(row.GetString(1), CultureInfo.InvariantCulture)), row.GetBoolean(2), new WalSegmentSize((int)row.GetInt64(3)),
                row.GetFieldValue<DateTimeOffset>(4), unchecked((ulong)row.GetInt64(5)), Lsn.Parse(row.GetString(6)), row.GetFieldValue<DateTimeOffset>(7));
        }
    }
}
