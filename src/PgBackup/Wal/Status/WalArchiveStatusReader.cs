using System.Globalization;
using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.Repository;

namespace PgBackup.Wal.Status;

/// <summary>Asks the server and the repository how archiving is.</summary>
public static class WalArchiveStatusReader
{
    private const string Archiver = """
        SELECT archived_count, last_archived_wal, last_archived_time, failed_count, last_failed_wal, last_failed_time, stats_reset FROM pg_stat_archiver
        """;

    // A standby has no insert position; what it has replayed is the end of its WAL. The timeline of a primary stands in the name of its segment.
    private const string Position = """
        SELECT CASE WHEN r THEN coalesce(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0')::text ELSE pg_current_wal_lsn()::text END,
               CASE WHEN r THEN (SELECT timeline_id FROM pg_control_checkpoint())::text ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
               r, pg_size_bytes(current_setting('wal_segment_size'))
        FROM (SELECT pg_is_in_recovery() AS r) AS s
        """;

    private const string Ready = """
        SELECT count(*)::int, min(modification) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'
        """;

    /// <summary>The state at this moment. <paramref name="repository"/> may be null: then only the server is asked.</summary>
    public static async Task<WalArchiveStatus> ReadAsync(
        ServerSession session, BackupRepository? repository, CancellationToken cancellationToken = default)
    {
        ServerSettings settings = await ServerSettings.ReadAsync(session, cancellationToken).ConfigureAwait(false);
        ArchiverRow archiver = (await session.QueryAsync(Archiver, ArchiverRow.Read, cancellationToken).ConfigureAwait(false))[0];
        PositionRow position = (await session.QueryAsync(Position, PositionRow.Read, cancellationToken).ConfigureAwait(false))[0];
        (int? ready, DateTimeOffset? oldest) = await ReadyAsync(session, cancellationToken).ConfigureAwait(false);
        var current = WalSegmentName.Containing(position.Timeline, position.Lsn, position.SegmentSize);
        WalSegmentName? newest = null;
        var findings = new WalArchiveFindings { Settings = settings };
        if (repository is not null)
        {
            try
            {
                newest = await NewestAsync(repository, position.Timeline, cancellationToken).ConfigureAwait(false);
                findings.LastArchivedIsMissing = WalFileName.TryParse(archiver.LastArchived, out WalFileName? last)
                    && (await WalArchive.FindAsync(repository, last, cancellationToken).ConfigureAwait(false)).Count == 0;
            }
            catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
            {
                findings.RepositoryIsMissing = true;
            }
        }
        long? lag = newest is { } segment
            ? Math.Max(0, (long)current.NumberFor(position.SegmentSize) - (long)segment.NumberFor(position.SegmentSize) - 1)
            : null;
        var status = new WalArchiveStatus
        {
            Server = session.Server,
            Repository = repository?.Location,
            Status = WalArchiveHealth.Ok,
            Reasons = [],
            WalLevel = settings.ValueOf("wal_level"),
            ArchiveMode = settings.ValueOf("archive_mode"),
            ArchiveCommand = settings.ValueOf("archive_command"),
            ArchiveLibrary = settings.ValueOf("archive_library"),
            ArchiveTimeout = settings.ArchiveTimeout,
            ArchivedCount = archiver.Archived,
            LastArchivedWal = archiver.LastArchived,
            LastArchivedTime = archiver.LastArchivedTime,
            FailedCount = archiver.Failed,
            LastFailedWal = archiver.LastFailed,
            LastFailedTime = archiver.LastFailedTime,
            StatsReset = archiver.Reset,
            ReadyCount = ready,
            OldestReadyTime = oldest,
            Timeline = position.Timeline,
            CurrentLsn = position.Lsn,
            CurrentSegment = current,
            NewestSegment = newest,
            LagSegments = lag,
        };
        findings.IsStandby = position.IsStandby;
        return findings.Judge(status, DateTimeOffset.UtcNow);
    }

    private static async Task<(int? Count, DateTimeOffset? Oldest)> ReadyAsync(ServerSession session, CancellationToken cancellationToken)
    {
        try
        {
            return (await session.QueryAsync(Ready, row => ((int?)row.GetInt32(0), Time(row, 1)), cancellationToken).ConfigureAwait(false))[0];
        }
        catch (PgBackupException error) when (error.Id == "InsufficientPrivilege")
        {
            return (null, null);
        }
    }

    private static async Task<WalSegmentName?> NewestAsync(BackupRepository repository, TimelineId timeline, CancellationToken cancellationToken)
    {
        WalSegmentName? newest = null;
        await foreach (ArchivedWalFile item in WalArchive.ListAsync(repository, cancellationToken).ConfigureAwait(false))
        {
            if (item.File.Kind == WalFileKind.Segment && item.File.Segment is { } segment && segment.Timeline == timeline && (newest is null || segment.CompareTo(newest.Value) > 0))
                newest = segment;
        }
        return newest;
    }

    private static DateTimeOffset? Time(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetFieldValue<DateTimeOffset>(column);

    private static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    private sealed record ArchiverRow(
        long Archived, string? LastArchived, DateTimeOffset? LastArchivedTime, long Failed, string? LastFailed, DateTimeOffset? LastFailedTime, DateTimeOffset? Reset)
    {
        public static ArchiverRow Read(NpgsqlDataReader row) =>
            new(row.GetInt64(0), Text(row, 1), Time(row, 2), row.GetInt64(3), Text(row, 4), Time(row, 5), Time(row, 6));
    }

    private sealed record PositionRow(Lsn Lsn, TimelineId Timeline, bool IsStandby, WalSegmentSize SegmentSize)
    {
        public static PositionRow Read(NpgsqlDataReader row)
        {
            bool standby = row.GetBoolean(2);
            uint timeline = uint.Parse(row.GetString(1), standby ? NumberStyles.None : NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            return new(Lsn.Parse(row.GetString(0)), new TimelineId(timeline), standby, new WalSegmentSize((int)row.GetInt64(3)));
        }
    }
}
