namespace PgBackup.Wal;

/// <summary>Where a server's log ends, in SQL, with <c>r</c> for whether it is in recovery.</summary>
internal static class LogPositionSql
{
    /// <summary>The LSN. A standby has no insert position; what it has is what it has received and replayed.</summary>
    public const string Lsn = """
        CASE WHEN r THEN coalesce(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0')::text ELSE pg_current_wal_lsn()::text END
        """;

    /// <summary>
    /// The timeline, a decimal number. A primary's stands in the name of its segment. A standby's checkpoint stays on the old one for a while after its upstream was promoted:
    /// what it receives is asked first, and where nobody sends, the timeline that its data are known to need, which the control file tells as soon as pages were written that do.
    /// </summary>
    public const string Timeline = """
        CASE WHEN r THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), 
             (SELECT greatest(c.timeline_id, m.min_recovery_end_timeline) FROM pg_control_checkpoint() AS c, pg_control_recovery() AS m))::text
             ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint::text END
        """;
}
