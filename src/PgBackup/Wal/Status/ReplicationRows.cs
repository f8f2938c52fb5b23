using Npgsql;

namespace PgBackup.Wal.Status;

/// <summary>A row of pg_replication_slots, whose columns became more with the versions.</summary>
internal sealed record SlotRow(
    string Name, bool IsPhysical, bool IsActive, int? Pid, Lsn? Restart, string? WalStatus, long? SafeSize, string? Invalidation, DateTimeOffset? InactiveSince, bool IsTemporary)
{
    public static string Query(int majorVersion) => $"""
        SELECT slot_name::text, slot_type = 'physical', active, active_pid, restart_lsn::text, wal_status, safe_wal_size,
               {(majorVersion >= 17 ? "invalidation_reason" : "NULL::text")}, {(majorVersion >= 17 ? "inactive_since" : "NULL::timestamptz")}, temporary
        FROM pg_replication_slots ORDER BY 1
        """;

    public static SlotRow Read(NpgsqlDataReader row) => new(
        row.GetString(0), row.GetBoolean(1), row.GetBoolean(2), row.IsDBNull(3) ? null : row.GetInt32(3), ServerReader.LsnOf(row, 4),
        ServerReader.Text(row, 5), row.IsDBNull(6) ? null : row.GetInt64(6), ServerReader.Text(row, 7), ServerReader.Time(row, 8), row.GetBoolean(9));

    public WalSlotStatus ToStatus(Lsn end, List<ReceiverRow> receivers) => new()
    {
        Name = Name,
        IsPhysical = IsPhysical,
        IsActive = IsActive,
        RestartLsn = Restart,
        Lag = Restart is { } restart ? new ByteSize(Math.Max(0, end - restart)) : null,
        WalStatus = WalStatus,
        SafeSize = SafeSize is { } safe ? new ByteSize(safe) : null,
        InvalidationReason = Invalidation,
        InactiveSince = InactiveSince,
        Receiver = Pid is { } pid ? receivers.Find(r => r.Pid == pid)?.Name : null,
    };
}

/// <summary>A row of pg_stat_replication; without the right to see more, only its process.</summary>
internal sealed record ReceiverRow(int Pid, string? Name, string? State, Lsn? Flush, string? SyncState)
{
    // pg_basebackup's connection sends files, no log.
    public const string Query = """
        SELECT pid, application_name, state, flush_lsn::text, sync_state FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup' ORDER BY 2, 1
        """;

    public static ReceiverRow Read(NpgsqlDataReader row) =>
        new(row.GetInt32(0), ServerReader.Text(row, 1), ServerReader.Text(row, 2), ServerReader.LsnOf(row, 3), ServerReader.Text(row, 4));

    public WalReceiverStatus ToStatus(Lsn end, List<SlotRow> slots) => new()
    {
        Name = Name ?? "",
        State = State ?? "",
        FlushLsn = Flush,
        Lag = Flush is { } flush ? new ByteSize(Math.Max(0, end - flush)) : null,
        SyncState = SyncState ?? "",
        SlotName = slots.Find(s => s.Pid == Pid)?.Name,
    };
}
