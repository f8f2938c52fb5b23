using PgBackup.Errors;
using PgBackup.Postgres;
using PgBackup.Postgres.Replication;
using PgBackup.Postgres.Server;

namespace PgBackup.Backup.Remote;

/// <summary>
/// What must hold before a backup by the replication protocol begins, asked over an ordinary connection: that role needs no rights but to log in. What a role without
/// <c>pg_read_all_settings</c> may not see is not needed.
/// </summary>
internal static class RemoteChecks
{
    /// <summary>Proves that both connections lead to one cluster, and that it archives. Throws as <see cref="BackupChecks.RunAsync"/>.</summary>
    public static async Task<BackupTarget> RunAsync(ServerSession server, ReplicationConnection replication, CancellationToken cancellationToken)
    {
        bool isStandby = await server.ScalarAsync<bool>("SELECT pg_is_in_recovery()", cancellationToken).ConfigureAwait(false);
        Dictionary<string, string> settings = await BackupChecks.ReadSettingsAsync(server, cancellationToken).ConfigureAwait(false);
        if (!isStandby) // Its primary archives.
            await BackupChecks.RequireArchivingAsync(server, settings, cancellationToken).ConfigureAwait(false);

        SystemIdentity identity = await replication.IdentifySystemAsync(cancellationToken).ConfigureAwait(false);
        ClusterTraits traits = await ReadTraitsAsync(server, cancellationToken).ConfigureAwait(false);
        if (traits.SystemIdentifier != identity.SystemIdentifier)
            throw PgErrors.ServersDiffer(server.Server);
        return new BackupTarget(
            server.Server,
            settings.GetValueOrDefault("data_directory", ""),
            traits,
            isStandby ? await RestartpointTimelineAsync(server, cancellationToken).ConfigureAwait(false) : identity.Timeline,
            new Version(server.MajorVersion, server.VersionNumber % 10000),
            server.VersionNumber,
            new ServerConfiguration(settings.GetValueOrDefault("config_file", ""), settings.GetValueOrDefault("hba_file", ""), settings.GetValueOrDefault("ident_file", ""), []))
        {
            IsStandby = isStandby,
            Host = replication.Host,
        };
    }

    // Out of the control file too, but the server reads it. Throws StandbyBetweenTimelines.
    private static async Task<TimelineId> RestartpointTimelineAsync(ServerSession server, CancellationToken cancellationToken)
    {
        List<(TimelineId Restartpoint, TimelineId Recovered)> rows = await server.QueryAsync(
            "SELECT c.timeline_id, r.min_recovery_end_timeline FROM pg_control_checkpoint() c, pg_control_recovery() r",
            static row => (new TimelineId((uint)row.GetInt32(0)), new TimelineId((uint)row.GetInt32(1))),
            cancellationToken).ConfigureAwait(false);
        StandbyChecks.RequireOneTimeline(server.Server, rows[0].Restartpoint, rows[0].Recovered);
        return rows[0].Restartpoint;
    }

    private static async Task<ClusterTraits> ReadTraitsAsync(ServerSession server, CancellationToken cancellationToken)
    {
        List<ClusterTraits> rows = await server.QueryAsync(
            """
            SELECT s.system_identifier, i.bytes_per_wal_segment, i.data_page_checksum_version <> 0, i.database_block_size, i.blocks_per_segment
            FROM pg_control_system() s, pg_control_init() i
            """,
            static row => new ClusterTraits(
                (ulong)row.GetInt64(0),
                new WalSegmentSize(row.GetInt32(1)),
                row.GetBoolean(2),
                row.GetInt32(3),
                row.GetInt32(4)),
            cancellationToken).ConfigureAwait(false);
        return rows[0];
    }
}
