namespace PgBackup;

/// <summary>A replication slot, and what it holds back.</summary>
public sealed record WalSlotStatus
{
    /// <summary>The slot's name.</summary>
    public required string Name { get; init; }

    /// <summary>True for a physical slot, false for a logical one.</summary>
    public required bool IsPhysical { get; init; }

    /// <summary>Whether somebody is connected with it.</summary>
    public required bool IsActive { get; init; }

    /// <summary>The oldest WAL that it holds back; null for a slot that was never used, or is lost.</summary>
    public required Lsn? RestartLsn { get; init; }

    /// <summary>How much WAL it holds back, up to the server's end; null where <see cref="RestartLsn"/> is.</summary>
    public required ByteSize? Lag { get; init; }

    /// <summary>pg_replication_slots.wal_status: reserved, extended, unreserved, lost; null for a slot that was never used.</summary>
    public required string? WalStatus { get; init; }

    /// <summary>How much more WAL may be written before the slot is in danger of being lost; null when max_slot_wal_keep_size sets no bound.</summary>
    public required ByteSize? SafeSize { get; init; }

    /// <summary>Why the server gave the slot up (PostgreSQL 17 and later); null when it did not.</summary>
    public required string? InvalidationReason { get; init; }

    /// <summary>Since when nobody uses it (PostgreSQL 17 and later).</summary>
    public required DateTimeOffset? InactiveSince { get; init; }

    /// <summary>The application_name of who uses it; null when nobody does, or the role may not see it.</summary>
    public required string? Receiver { get; init; }

    /// <summary>True when its consumer can never go on with it.</summary>
    public bool IsLost => WalStatus == "lost" || InvalidationReason is not null;

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>A receiver of WAL (pg_stat_replication).</summary>
public sealed record WalReceiverStatus
{
    /// <summary>Its application_name.</summary>
    public required string Name { get; init; }

    /// <summary>streaming, catchup, startup, …</summary>
    public required string State { get; init; }

    /// <summary>What it has confirmed as durable; null before its first answer.</summary>
    public required Lsn? FlushLsn { get; init; }

    /// <summary>How far that is behind the server.</summary>
    public required ByteSize? Lag { get; init; }

    /// <summary>async, sync, potential, quorum.</summary>
    public required string SyncState { get; init; }

    /// <summary>The slot that it uses; null for none.</summary>
    public required string? SlotName { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
