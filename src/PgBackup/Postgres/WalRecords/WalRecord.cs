namespace PgBackup.Postgres.WalRecords;

/// <summary>The kinds of WAL record that recovery targets and plans are made of, as flags to ask a reader for.</summary>
[Flags]
public enum WalRecordKinds
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Every record that has no name here.</summary>
    Other = 1,

    /// <summary>A transaction's commit.</summary>
    Commit = 1 << 1,

    /// <summary>A transaction's abort.</summary>
    Abort = 1 << 2,

    /// <summary>COMMIT PREPARED.</summary>
    CommitPrepared = 1 << 3,

    /// <summary>ROLLBACK PREPARED.</summary>
    AbortPrepared = 1 << 4,

    /// <summary>A named point, by pg_create_restore_point.</summary>
    RestorePoint = 1 << 5,

    /// <summary>A checkpoint at shutdown, or at the end of recovery.</summary>
    CheckpointShutdown = 1 << 6,

    /// <summary>A checkpoint of a running server.</summary>
    CheckpointOnline = 1 << 7,

    /// <summary>The start of a timeline by a promotion.</summary>
    EndOfRecovery = 1 << 8,

    /// <summary>The end of a base backup.</summary>
    BackupEnd = 1 << 9,

    /// <summary>The switch to the next segment, by pg_switch_wal or archive_timeout.</summary>
    Switch = 1 << 10,

    /// <summary>A change of the settings that a standby checks.</summary>
    ParameterChange = 1 << 11,

    /// <summary>The replacement of a record that a crash cut off.</summary>
    OverwrittenRecord = 1 << 12,

    /// <summary>CREATE TABLESPACE.</summary>
    TablespaceCreation = 1 << 13,

    /// <summary>Commits and aborts, those of prepared transactions too.</summary>
    TransactionEnds = Commit | Abort | CommitPrepared | AbortPrepared,

    /// <summary>Everything that <see cref="WalEvent.Decode"/> understands.</summary>
    Decoded = TransactionEnds | RestorePoint | CheckpointShutdown | CheckpointOnline | EndOfRecovery | BackupEnd | Switch | ParameterChange
        | OverwrittenRecord | TablespaceCreation,

    /// <summary>Every record.</summary>
    All = Other | Decoded,
}

/// <summary>One record of the log, its checksum and its place in the chain checked (PostgreSQL source: <c>XLogRecord</c> in xlogrecord.h).</summary>
public readonly record struct WalRecord
{
    /// <summary>The size of a record's header in bytes.</summary>
    public const int HeaderSize = 24;

    /// <summary>The LSN of its first byte.</summary>
    public required Lsn Start { get; init; }

    /// <summary>
    /// The LSN after it, where the next record may start: what a server that has replayed it reports. A switch ends at its segment's end.
    /// </summary>
    public required Lsn End { get; init; }

    /// <summary>The start of the record before.</summary>
    public required Lsn Previous { get; init; }

    /// <summary>The timeline in the header of the page where it starts.</summary>
    public required TimelineId Timeline { get; init; }

    /// <summary>The transaction that wrote it; 0 when none did. For prepared transactions see <see cref="WalTransactionEnd.Xid"/>.</summary>
    public required uint Xid { get; init; }

    /// <summary>The number of the resource manager.</summary>
    public required byte ResourceManager { get; init; }

    /// <summary>xl_info: what the record is to its resource manager.</summary>
    public required byte Info { get; init; }

    /// <summary>Its size in bytes with the header.</summary>
    public required uint TotalLength { get; init; }

    /// <summary>Exactly one kind.</summary>
    public required WalRecordKinds Kind { get; init; }

    /// <summary>The major version of the server that wrote it.</summary>
    public required int ServerVersion { get; init; }

    /// <summary>
    /// What follows the header; empty for <see cref="WalRecordKinds.Other"/>, and for plain commits and aborts cut after 64 KB. It is good
    /// until the next read.
    /// </summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>The kind of a record by resource manager and info (PostgreSQL source: rmgrlist.h, pg_control.h, xact.h, tablespace.h).</summary>
    public static WalRecordKinds KindOf(byte resourceManager, byte info)
    {
        const byte xlog = 0, transaction = 1, tablespace = 5;
        return resourceManager switch
        {
            xlog => (info & 0xF0) switch
            {
                0x00 => WalRecordKinds.CheckpointShutdown,
                0x10 => WalRecordKinds.CheckpointOnline,
                0x40 => WalRecordKinds.Switch,
                0x50 => WalRecordKinds.BackupEnd,
                0x60 => WalRecordKinds.ParameterChange,
                0x70 => WalRecordKinds.RestorePoint,
                0x90 => WalRecordKinds.EndOfRecovery,
                0xD0 => WalRecordKinds.OverwrittenRecord,
                _ => WalRecordKinds.Other,
            },
            transaction => (info & 0x70) switch
            {
                0x00 => WalRecordKinds.Commit,
                0x20 => WalRecordKinds.Abort,
                0x30 => WalRecordKinds.CommitPrepared,
                0x40 => WalRecordKinds.AbortPrepared,
                _ => WalRecordKinds.Other,
            },
            tablespace => (info & 0xF0) == 0 ? WalRecordKinds.TablespaceCreation : WalRecordKinds.Other,
            _ => WalRecordKinds.Other,
        };
    }
}
