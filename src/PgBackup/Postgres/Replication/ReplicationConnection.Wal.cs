using System.Globalization;
using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Server;

namespace PgBackup.Postgres.Replication;

/// <summary>A physical replication slot.</summary>
/// <param name="RestartLsn">The oldest WAL that it keeps; null when it keeps none yet.</param>
/// <param name="Timeline">The timeline of that; null when the server does not tell.</param>
public sealed record PhysicalSlot(Lsn? RestartLsn, TimelineId? Timeline);

/// <content>Slots and the streaming of WAL.</content>
public sealed partial class ReplicationConnection
{
    /// <summary>
    /// Connects as <see cref="OpenAsync(ServerConnectionSettings, IOperationLog?, CancellationToken)"/> under a name of its own, by which synchronous_standby_names can mean it.
    /// </summary>
    /// <param name="settings">Where to, and how.</param>
    /// <param name="applicationName">The connection's application_name.</param>
    /// <param name="staysWhenIdle">Whether the server is told to keep the connection when it is idle; servers before 14 know no such limit.</param>
    /// <param name="log">Where what the server says goes.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static Task<ReplicationConnection> OpenAsync(
        ServerConnectionSettings settings, string applicationName, bool staysWhenIdle, IOperationLog? log, CancellationToken cancellationToken = default) =>
        OpenAsync(settings, staysWhenIdle, applicationName, log, cancellationToken);

    /// <summary>Makes a physical slot that keeps WAL from this moment on; false when there is a slot of that name already.</summary>
    /// <param name="slot">Lower-case letters, digits and underscores.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<bool> CreatePhysicalSlotAsync(string slot, CancellationToken cancellationToken = default)
    {
        try
        {
            await _channel.QueryAsync($"CREATE_REPLICATION_SLOT \"{slot}\" PHYSICAL RESERVE_WAL", cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (ServerReportException error) when (error.Report.SqlState == PostgresErrorCodes.DuplicateObject)
        {
            return false;
        }
        catch (Exception error) when (Translate(error) is { } known)
        {
            throw known;
        }
    }

    /// <summary>A slot, from PostgreSQL 15 on; null when there is none of that name. Throws <c>ReplicationSlotUnusable</c> for one that is not physical.</summary>
    public async Task<PhysicalSlot?> ReadSlotAsync(string slot, CancellationToken cancellationToken = default)
    {
        try
        {
            List<string?[]> rows = await _channel.QueryAsync($"READ_REPLICATION_SLOT \"{slot}\"", cancellationToken).ConfigureAwait(false);
            if (rows is not [[{ } _, var lsn, var timeline, ..]])
                return null;
            return new PhysicalSlot(
                Lsn.TryParse(lsn, null, out Lsn restart) && !restart.IsZero ? restart : null,
                uint.TryParse(timeline, NumberStyles.None, CultureInfo.InvariantCulture, out uint id) && id > 0 ? new TimelineId(id) : null);
        }
        catch (ServerReportException error) when (error.Report.SqlState is PostgresErrorCodes.FeatureNotSupported or PostgresErrorCodes.ObjectNotInPrerequisiteState)
        {
            throw PgErrors.ReplicationSlotUnusable(Server, slot, error.Report.Text, error);
        }
        catch (Exception error) when (Translate(error) is { } known)
        {
            throw known;
        }
    }

    /// <summary>The content of a timeline's history file, byte for byte; null when the server does not have it.</summary>
    internal async Task<byte[]?> ReadTimelineHistoryFileAsync(TimelineId timeline, CancellationToken cancellationToken)
    {
        try
        {
            return await _channel.QueryLastFieldAsync($"TIMELINE_HISTORY {timeline}", cancellationToken).ConfigureAwait(false);
        }
        catch (ServerReportException error) when (error.Report.SqlState == PostgresErrorCodes.UndefinedFile)
        {
            return null;
        }
        catch (Exception error) when (Translate(error) is { } known)
        {
            throw known;
        }
    }

    /// <summary>
    /// Begins to stream a timeline's WAL. Throws what the server and the connection throw as it is: <see cref="Translate"/> is for the caller, who knows what it means.
    /// </summary>
    internal Task<WalStream> StartReplicationAsync(string slot, TimelineId timeline, Lsn start, CancellationToken cancellationToken) =>
        WalStream.BeginAsync(_channel, _wire, $"START_REPLICATION SLOT \"{slot}\" PHYSICAL {start} TIMELINE {timeline}", cancellationToken);
}
