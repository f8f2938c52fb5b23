namespace PgBackup.Errors;

public static partial class PgErrors
{
    internal static PgBackupException WalSpoolFailed(string folder, Exception inner) => new(
        "WalSpoolFailed", ErrorKind.WriteError, ExitCodes.Failed,
        $"A temporary file for WAL in '{folder}' could not be used: {inner.Message}",
        "Make room there for some WAL segments, or set TMPDIR to a folder that has room.", folder, inner);

    internal static PgBackupException ReceiveOptionsInvalid(string reason) => new(
        "ReceiveOptionsInvalid", ErrorKind.InvalidArgument, ExitCodes.BadConfiguration,
        $"WAL cannot be received like this: {reason}",
        "See Get-Help Receive-PgWal -Examples.");

    internal static PgBackupException ReplicationSlotNotFound(string server, string slot, Exception? inner = null) => new(
        "ReplicationSlotNotFound", ErrorKind.ObjectNotFound, ExitCodes.NothingFound,
        $"The server {server} has no replication slot '{slot}'.",
        "Give -CreateSlot to make it, or name one that is there: SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'physical'.", slot, inner);

    internal static PgBackupException ReplicationSlotBusy(string server, string slot, string reason, Exception inner) => new(
        "ReplicationSlotBusy", ErrorKind.ResourceBusy, ExitCodes.Locked,
        $"The replication slot '{slot}' of the server {server} is in use: {reason}",
        "Another receiver or standby uses it. Stop that one, or give each a slot of its own; SELECT active_pid FROM pg_replication_slots tells which process serves it.", slot, inner);

    internal static PgBackupException ReplicationSlotUnusable(string server, string slot, string reason, Exception? inner) => new(
        "ReplicationSlotUnusable", ErrorKind.InvalidOperation, ExitCodes.Failed,
        $"The replication slot '{slot}' of the server {server} cannot be used: {reason}",
        "A physical slot is needed that the server has not given up (max_slot_wal_keep_size). Drop it with SELECT pg_drop_replication_slot('…') when nothing else uses it, and start again with -CreateSlot.",
        slot, inner);

    internal static PgBackupException WalNoLongerOnServer(string server, string location, string segment, string reason, Exception? inner) => new(
        "WalGapDetected", ErrorKind.InvalidData, ExitCodes.NothingFound,
        $"The repository '{location}' needs WAL from the segment {segment} on, which the server {server} no longer has: {reason}",
        "Bring the missing segments from wherever they still are (Push-PgWal). If they are lost, start once with -AllowGap, which goes on behind the gap, and take a full backup at once: "
        + "nothing after the gap can be restored without one.", segment, inner);

    internal static PgBackupException WalPiecesMissing(string location, string segment, int end, int promised) => new(
        "WalGapDetected", ErrorKind.InvalidData, ExitCodes.NothingFound,
        $"Of the WAL segment {segment} the repository '{location}' holds pieces up to byte {promised}, but nothing from byte {end} on that leads there.",
        "Bring the whole segment from wherever it still is (Push-PgWal), or restore to a point before the gap (-TargetLsn).", segment);

    internal static PgBackupException WalPiecesAmbiguous(string location, string segment, IReadOnlyList<ulong> clusters) => new(
        "WalClusterAmbiguous", ErrorKind.InvalidData, ExitCodes.Failed,
        $"In the repository '{location}' {clusters.Count} clusters ({string.Join(", ", clusters)}) have pieces of a WAL segment {segment}, and the destination does not tell which one is meant.",
        "Give a destination in pg_wal of the data directory that the segment is for: its global/pg_control tells the cluster.", segment);

    internal static PgBackupException WalAheadOfServer(string server, string location, TimelineId timeline, Lsn stored, Lsn served) => new(
        "WalAheadOfServer", ErrorKind.InvalidData, ExitCodes.Failed,
        $"The repository '{location}' holds WAL of timeline {timeline} up to {stored}, but the server {server} has it only up to {served}.",
        "This is not the server that wrote that WAL, or it was brought back from an older copy without a new timeline. Receive from the right server, or give this one a repository of its own.",
        server);

    internal static PgBackupException WalReceivedDiffers(string server, string location, string segment, Lsn position) => new(
        "WalContentConflict", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The server {server} sends other content for the WAL segment {segment} around {position} than the repository '{location}' holds in pieces; nothing was changed.",
        "Two servers write the same timeline: one was restored or copied and went on without a new one. Find out which one may be received here; give the other a repository of its own.",
        segment);

    internal static PgBackupException TimelineHistoryMissing(string server, TimelineId timeline) => new(
        "TimelineHistoryMissing", ErrorKind.ObjectNotFound, ExitCodes.Failed,
        $"The server {server} is on timeline {timeline}, but does not have its history file.",
        $"Bring {timeline.HistoryFileName} back into the server's pg_wal, from the repository or from another server.", timeline.HistoryFileName);

    internal static PgBackupException TimelineHistoryDiffers(string server, string location, TimelineId timeline) => new(
        "WalContentConflict", ErrorKind.ResourceExists, ExitCodes.Failed,
        $"The server {server} tells another past of timeline {timeline} than the repository '{location}' holds; nothing was changed.",
        "Two servers were promoted to the same timeline. Find out which one may be received here; give the other a repository of its own.", timeline.HistoryFileName);

    internal static PgBackupException ReceivedStreamInvalid(string server, Lsn expected, Lsn came) => new(
        "ServerAnswerUnexpected", ErrorKind.InvalidData, ExitCodes.ServerUnreachable,
        $"The server {server} sends WAL from {came} on where {expected} was expected.",
        "Check that -HostName and -Port name the PostgreSQL server itself, with no pooler or proxy between.", server);
}
