using System.Buffers.Binary;
using System.Text;
using PgBackup.Errors;
using PgBackup.Postgres.Files;

namespace PgBackup.Postgres.WalRecords;

/// <summary>Reads the bodies of the records that <see cref="WalEvent"/> knows (PostgreSQL source: xlog_internal.h, xact.h, xactdesc.c, tablespace.h).</summary>
internal static class WalEventDecoder
{
    private const byte MainDataShort = 255;
    private const byte MainDataLong = 254;
    private const byte Origin = 253;
    private const byte TopLevelXid = 252;
    private const byte HasInfo = 0x80;

    internal static WalEvent? Decode(in WalRecord record)
    {
        if (record.Kind == WalRecordKinds.Other)
            return null;
        var data = new Cursor(record, MainData(record));
        Lsn start = record.Start, end = record.End;
        TimelineId timeline = record.Timeline;
        switch (record.Kind)
        {
            case WalRecordKinds.Commit or WalRecordKinds.Abort or WalRecordKinds.CommitPrepared or WalRecordKinds.AbortPrepared:
                return TransactionEnd(record, ref data);
            case WalRecordKinds.RestorePoint:
                DateTimeOffset made = data.Time();
                return new WalRestorePoint(start, end, timeline, data.Text(), made);
            case WalRecordKinds.CheckpointShutdown or WalRecordKinds.CheckpointOnline:
                Lsn redo = data.Lsn();
                TimelineId current = data.Timeline(), previous = data.Timeline();
                data.Skip(48);
                return new WalCheckpoint(
                    start, end, timeline, record.Kind == WalRecordKinds.CheckpointShutdown, redo, current, previous,
                    PgTimestamp.FromUnixSeconds(data.Int64()));
            case WalRecordKinds.EndOfRecovery:
                DateTimeOffset ended = data.Time();
                return new WalEndOfRecovery(start, end, timeline, data.Timeline(), data.Timeline(), ended);
            case WalRecordKinds.BackupEnd:
                return new WalBackupEnd(start, end, timeline, data.Lsn());
            case WalRecordKinds.Switch:
                return new WalSwitch(start, end, timeline);
            case WalRecordKinds.ParameterChange:
                return new WalParameterChange(
                    start, end, timeline, data.Int32(), data.Int32(), data.Int32(), data.Int32(), data.Int32(), (WalLevel)data.Int32());
            case WalRecordKinds.OverwrittenRecord:
                return new WalOverwrittenRecord(start, end, timeline, data.Lsn(), data.Time());
            case WalRecordKinds.TablespaceCreation:
                uint oid = (uint)data.Int32();
                return new WalTablespaceCreation(start, end, timeline, oid, data.Text());
            default:
                throw new ArgumentException($"A record has one kind, not '{record.Kind}'.", nameof(record));
        }
    }

    private static WalTransactionEnd TransactionEnd(in WalRecord record, ref Cursor data)
    {
        bool prepared = record.Kind is WalRecordKinds.CommitPrepared or WalRecordKinds.AbortPrepared;
        bool commit = record.Kind is WalRecordKinds.Commit or WalRecordKinds.CommitPrepared;
        DateTimeOffset time = data.Time();
        uint xid = prepared ? PreparedXid(record, commit, ref data) : record.Xid;
        return new WalTransactionEnd(record.Start, record.End, record.Timeline, xid, time, commit, prepared);
    }

    // ParseCommitRecord and ParseAbortRecord: the parts stand in this order, each only when its flag is set.
    private static uint PreparedXid(in WalRecord record, bool commit, ref Cursor data)
    {
        const uint hasDatabase = 1, hasSubtransactions = 2, hasRelations = 4, hasInvalidations = 8, hasTwoPhase = 16, hasDroppedStatistics = 256;
        uint info = (record.Info & HasInfo) != 0 ? (uint)data.Int32() : 0;
        if ((info & hasTwoPhase) == 0)
            throw PgErrors.WalRecordNotUnderstood(record.Start, "the end of a prepared transaction does not name it");
        if ((info & hasDatabase) != 0)
            data.Skip(8);
        if ((info & hasSubtransactions) != 0)
            data.SkipArray(4);
        if ((info & hasRelations) != 0)
            data.SkipArray(12);
        if ((info & hasDroppedStatistics) != 0)
            data.SkipArray(record.ServerVersion >= 18 ? 16 : 12);
        if (commit && (info & hasInvalidations) != 0)
            data.SkipArray(16);
        return (uint)data.Int32();
    }

    // None of these records refers to a data page, so only the origin and the top-level transaction may stand before the main data.
    private static ReadOnlySpan<byte> MainData(in WalRecord record)
    {
        ReadOnlySpan<byte> body = record.Body.Span;
        while (!body.IsEmpty)
        {
            int header = body[0] switch { MainDataShort => 2, MainDataLong => 5, Origin => 3, TopLevelXid => 5, _ => 0 };
            if (header == 0 || body.Length < header)
                throw PgErrors.WalRecordNotUnderstood(record.Start, $"its body has a part {body[0]}");
            if (body[0] is MainDataShort or MainDataLong)
                return body[header..];
            body = body[header..];
        }
        return body;
    }

    private ref struct Cursor(in WalRecord record, ReadOnlySpan<byte> data)
    {
        private readonly Lsn _start = record.Start;
        private ReadOnlySpan<byte> _data = data;

        internal int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Take(4));

        internal long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

        internal Lsn Lsn() => new((ulong)Int64());

        internal TimelineId Timeline() => new((uint)Int32());

        internal DateTimeOffset Time() => PgTimestamp.FromMicroseconds(Int64());

        internal void Skip(int bytes) => Take(bytes);

        internal void SkipArray(int elementSize)
        {
            long bytes = (long)(uint)Int32() * elementSize;
            Take(bytes > int.MaxValue ? int.MaxValue : (int)bytes);
        }

        internal string Text()
        {
            int end = _data.IndexOf((byte)0);
            return Encoding.UTF8.GetString(end < 0 ? _data : _data[..end]);
        }

        private ReadOnlySpan<byte> Take(int bytes)
        {
            if (bytes > _data.Length)
                throw PgErrors.WalRecordNotUnderstood(_start, "it is shorter than its kind");
            ReadOnlySpan<byte> taken = _data[..bytes];
            _data = _data[bytes..];
            return taken;
        }
    }
}
