using PgBackup.Postgres.Files;

namespace PgBackup.Postgres.WalRecords;

/// <summary>What a record says that matters to recovery.</summary>
/// <param name="Start">The record's first byte.</param>
/// <param name="End">The LSN after the record.</param>
/// <param name="Timeline">The timeline in the header of the record's page.</param>
public abstract record WalEvent(Lsn Start, Lsn End, TimelineId Timeline)
{
    /// <summary>Reads what a record says; null for <see cref="WalRecordKinds.Other"/>.</summary>
    /// <exception cref="Errors.PgBackupException">WalRecordNotUnderstood: the record is whole, but not as a server of 13 to 18 writes it.</exception>
    public static WalEvent? Decode(in WalRecord record) => WalEventDecoder.Decode(record);
}

/// <summary>A commit or abort: the points at which recovery can stop for a time or a transaction.</summary>
/// <param name="Start">The record's first byte.</param>
/// <param name="End">The LSN after the record.</param>
/// <param name="Timeline">The timeline in the header of the record's page.</param>
/// <param name="Xid">The transaction; for a prepared one its own id, not that of the session that ended it.</param>
/// <param name="Time">When it ended, by the server's clock, to the microsecond.</param>
/// <param name="IsCommit">Commit or abort.</param>
/// <param name="IsPrepared">By COMMIT PREPARED or ROLLBACK PREPARED.</param>
public sealed record WalTransactionEnd(Lsn Start, Lsn End, TimelineId Timeline, uint Xid, DateTimeOffset Time, bool IsCommit, bool IsPrepared)
    : WalEvent(Start, End, Timeline);

/// <summary>A named restore point.</summary>
/// <param name="Start">The record's first byte.</param>
/// <param name="End">The LSN after the record.</param>
/// <param name="Timeline">The timeline in the header of the record's page.</param>
/// <param name="Name">The name, at most 63 bytes of UTF-8 or of the database's encoding.</param>
/// <param name="Time">When it was made.</param>
public sealed record WalRestorePoint(Lsn Start, Lsn End, TimelineId Timeline, string Name, DateTimeOffset Time) : WalEvent(Start, End, Timeline);

/// <summary>A checkpoint.</summary>
/// <param name="Start">The record's first byte.</param>
/// <param name="End">The LSN after the record.</param>
/// <param name="Timeline">The timeline in the header of the record's page.</param>
/// <param name="IsShutdown">At shutdown or at the end of recovery; else of a running server.</param>
/// <param name="Redo">Where recovery from it starts.</param>
/// <param name="ThisTimeline">The timeline of the checkpoint.</param>
/// <param name="PreviousTimeline">The timeline before; differs when the checkpoint begins a new one.</param>
/// <param name="Time">When it was begun, in whole seconds.</param>
public sealed record WalCheckpoint(
    Lsn Start, Lsn End, TimelineId Timeline, bool IsShutdown, Lsn Redo, TimelineId ThisTimeline, TimelineId PreviousTimeline, DateTimeOffset Time)
    : WalEvent(Start, End, Timeline);

/// <summary>The first record of a timeline that a promotion began without a checkpoint.</summary>
/// <param name="Start">The record's first byte.</param>
/// <param name="End">The LSN after the record.</param>
/// <param name="Timeline">The timeline in the header of the record's page.</param>
/// <param name="ThisTimeline">The new timeline.</param>
/// <param name="PreviousTimeline">The timeline that was left.</param>
/// <param name="Time">When.</param>
public sealed record WalEndOfRecovery(Lsn Start, Lsn End, TimelineId Timeline, TimelineId ThisTimeline, TimelineId PreviousTimeline, DateTimeOffset Time)
    : WalEvent(Start, End, Timeline);

/// <summary>The end of a base backup: recovery from that backup is consistent after it.</summary>
/// <param name="Start">The record's first byte.</param>
/// <param name="End">The LSN after the record.</param>
/// <param name="Timeline">The timeline in the header of the record's page.</param>
/// <param name="BackupStart">The start LSN of the backup that ended.</param>
public sealed record WalBackupEnd(Lsn Start, Lsn End, TimelineId Timeline, Lsn BackupStart) : WalEvent(Start, End, Timeline);

/// <summary>The rest of the segment is unused.</summary>
/// <param name="Start">The record's first byte.</param>
/// <param name="End">The segment's end.</param>
/// <param name="Timeline">The timeline in the header of the record's page.</param>
public sealed record WalSwitch(Lsn Start, Lsn End, TimelineId Timeline) : WalEvent(Start, End, Timeline);

/// <summary>New values of the settings that a standby must not have smaller.</summary>
/// <param name="Start">The record's first byte.</param>
/// <param name="End">The LSN after the record.</param>
/// <param name="Timeline">The timeline in the header of the record's page.</param>
/// <param name="MaxConnections">max_connections.</param>
/// <param name="MaxWorkerProcesses">max_worker_processes.</param>
/// <param name="MaxWalSenders">max_wal_senders.</param>
/// <param name="MaxPreparedTransactions">max_prepared_transactions.</param>
/// <param name="MaxLocksPerTransaction">max_locks_per_transaction.</param>
/// <param name="WalLevel">wal_level: with minimal, recovery from an older backup ends here.</param>
public sealed record WalParameterChange(
    Lsn Start, Lsn End, TimelineId Timeline, int MaxConnections, int MaxWorkerProcesses, int MaxWalSenders, int MaxPreparedTransactions,
    int MaxLocksPerTransaction, WalLevel WalLevel) : WalEvent(Start, End, Timeline);

/// <summary>A crash cut off a record; this one stands in its place.</summary>
/// <param name="Start">The record's first byte.</param>
/// <param name="End">The LSN after the record.</param>
/// <param name="Timeline">The timeline in the header of the record's page.</param>
/// <param name="OverwrittenStart">The start of the record that was lost.</param>
/// <param name="Time">When the server noticed.</param>
public sealed record WalOverwrittenRecord(Lsn Start, Lsn End, TimelineId Timeline, Lsn OverwrittenStart, DateTimeOffset Time)
    : WalEvent(Start, End, Timeline);

/// <summary>CREATE TABLESPACE: whoever replays it makes a link to that very folder.</summary>
/// <param name="Start">The record's first byte.</param>
/// <param name="End">The LSN after the record.</param>
/// <param name="Timeline">The timeline in the header of the record's page.</param>
/// <param name="Oid">The tablespace's OID.</param>
/// <param name="Location">Its folder; empty for one within the data directory.</param>
public sealed record WalTablespaceCreation(Lsn Start, Lsn End, TimelineId Timeline, uint Oid, string Location) : WalEvent(Start, End, Timeline);
