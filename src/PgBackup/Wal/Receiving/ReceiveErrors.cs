using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Replication;

namespace PgBackup.Wal.Receiving;

/// <summary>What failures of the stream mean for the user.</summary>
internal static class ReceiveErrors
{
    /// <summary>The catalogue's error; null for what is no failure of the stream.</summary>
    /// <param name="error">The failure.</param>
    /// <param name="connection">The connection that failed.</param>
    /// <param name="slot">The slot.</param>
    /// <param name="location">The repository.</param>
    /// <param name="wanted">The segment that the server was asked for.</param>
    public static PgBackupException? Translate(Exception error, ReplicationConnection connection, string slot, string location, WalSegmentName wanted) =>
        error is not ServerReportException { Report: { } report } ? connection.Translate(error) : report.SqlState switch
        {
            // "requested WAL segment … has already been removed"
            PostgresErrorCodes.UndefinedFile => PgErrors.WalNoLongerOnServer(connection.Server, location, wanted.ToString(), report.Text, error),
            PostgresErrorCodes.UndefinedObject => PgErrors.ReplicationSlotNotFound(connection.Server, slot, error),
            PostgresErrorCodes.ObjectInUse => PgErrors.ReplicationSlotBusy(connection.Server, slot, report.Text, error),
            PostgresErrorCodes.ObjectNotInPrerequisiteState => PgErrors.ReplicationSlotUnusable(connection.Server, slot, report.Text, error),
            _ => connection.Translate(error),
        };

    /// <summary>True for failures that may be over in a moment, once the stream has run: the server restarts, the network is away, the old connection still holds the slot.</summary>
    public static bool IsPassing(PgBackupException error) =>
        error.Id is "ServerConnectionFailed" or "ServerConnectionLost" or "ReplicationSlotBusy" or "WalAheadOfServer"
        || (error.Id == "ServerAnswerUnexpected" && error.InnerException is ProtocolViolationException or EndOfStreamException);
}
