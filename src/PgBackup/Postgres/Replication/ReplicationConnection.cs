using System.Globalization;
using Npgsql;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.Replication.Login;
using PgBackup.Postgres.Server;

namespace PgBackup.Postgres.Replication;

/// <summary>
/// A physical replication connection, for what the driver does not speak, or not under full control: BASE_BACKUP, START_REPLICATION. One command at a time; after a failure or a cancellation within a backup it can
/// only be disposed of. Failures are <see cref="PgBackupException"/>, as with <see cref="ServerSession"/>.
/// </summary>
public sealed partial class ReplicationConnection : IAsyncDisposable
{
    private readonly WireStream _wire;
    private readonly CommandChannel _channel;
    private readonly IOperationLog _log;
    private readonly string _user;
    private readonly int _processId;

    private ReplicationConnection(WireStream wire, int processId, NpgsqlConnectionStringBuilder settings, IOperationLog log)
    {
        _wire = wire;
        _processId = processId;
        _log = log;
        _channel = new CommandChannel(wire, log);
        _user = settings.Username!;
        Host = settings.Host!;
        Server = $"{settings.Host}:{settings.Port}";
    }

    /// <summary>Host and port, for messages.</summary>
    public string Server { get; }

    /// <summary>The host, or the folder of the socket, that was connected to.</summary>
    public string Host { get; }

    /// <summary>The server's major version: 15.</summary>
    public int MajorVersion { get; private set; }

    /// <summary>
    /// Connects and logs in; what the server says beside its answers goes into <paramref name="log"/>. Throws <c>ServerConnectionFailed</c>,
    /// <c>AuthenticationFailed</c>, <c>InsufficientPrivilege</c>, <c>ServerAnswerUnexpected</c>, <c>ServerTooOld</c>.
    /// </summary>
    public static Task<ReplicationConnection> OpenAsync(ServerConnectionSettings settings, IOperationLog? log = null, CancellationToken cancellationToken = default) =>
        OpenAsync(settings, staysWhenIdle: false, applicationName: null, log, cancellationToken);

    /// <summary>
    /// Connects as <see cref="OpenAsync(ServerConnectionSettings, IOperationLog?, CancellationToken)"/> to the server that a session of the same settings reached, and proves that it
    /// is that one: behind a name there can be several. The server does not end the connection for being idle. Throws also <c>ServersDiffer</c>.
    /// </summary>
    public static async Task<ReplicationConnection> OpenBesideAsync(
        ServerSession session, ServerConnectionSettings settings, IOperationLog? log = null, CancellationToken cancellationToken = default)
    {
        ReplicationConnection connection = await OpenAsync(settings, staysWhenIdle: session.MajorVersion >= 14, applicationName: null, log, cancellationToken).ConfigureAwait(false);
        try
        {
            // A role sees what its own connections are without any right.
            return await session.ScalarAsync<bool>(
                """
                SELECT EXISTS (SELECT FROM pg_stat_activity
                    WHERE pid = $1 AND backend_type = 'walsender' AND usename = session_user AND application_name = current_setting('application_name'))
                """,
                cancellationToken,
                connection._processId).ConfigureAwait(false)
                ? connection
                : throw PgErrors.ServersDiffer(session.Server);
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>IDENTIFY_SYSTEM.</summary>
    public async Task<SystemIdentity> IdentifySystemAsync(CancellationToken cancellationToken = default)
    {
        List<string?[]> rows = await QueryAsync("IDENTIFY_SYSTEM", cancellationToken).ConfigureAwait(false);
        return rows is [[{ } system, { } timeline, { } flushed, ..]] && ulong.TryParse(system, NumberStyles.None, CultureInfo.InvariantCulture, out ulong identifier)
            && uint.TryParse(timeline, NumberStyles.None, CultureInfo.InvariantCulture, out uint id) && id > 0 && Lsn.TryParse(flushed, null, out Lsn lsn)
            ? new SystemIdentity(identifier, new TimelineId(id), lsn)
            : throw PgErrors.ServerAnswerUnexpected(Server, "it does not identify itself", new FormatException());
    }

    /// <summary>The value of a setting.</summary>
    /// <param name="name">A plain name.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<string> ShowAsync(string name, CancellationToken cancellationToken = default)
    {
        List<string?[]> rows = await QueryAsync($"SHOW {name}", cancellationToken).ConfigureAwait(false);
        return rows is [[{ } value]] ? value : throw PgErrors.ServerAnswerUnexpected(Server, $"it does not say what '{name}' is", new FormatException());
    }

    /// <summary>The content of a timeline's history file; null when the server does not have it.</summary>
    public async Task<string?> ReadTimelineHistoryAsync(TimelineId timeline, CancellationToken cancellationToken = default)
    {
        try
        {
            List<string?[]> rows = await _channel.QueryAsync($"TIMELINE_HISTORY {timeline}", cancellationToken).ConfigureAwait(false);
            return rows is [[_, var content]] ? content : null;
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
    /// Starts a base backup; returns once the server has made its checkpoint. The compressions of the request are tried in their order, then none.
    /// </summary>
    public async Task<BaseBackupStream> StartBaseBackupAsync(BaseBackupRequest request, CancellationToken cancellationToken = default)
    {
        try
        {
            foreach (CompressionMethod compression in MajorVersion >= 15 ? request.Compressions : [])
            {
                try
                {
                    return await BaseBackupStream.BeginAsync(this, _channel, _wire, request, compression, cancellationToken).ConfigureAwait(false);
                }
                catch (ServerReportException error) when (IsRefusedCompression(error.Report))
                {
                    _log.Verbose($"The server does not compress with {compression}: {error.Report.Text}");
                }
            }
            return await BaseBackupStream.BeginAsync(this, _channel, _wire, request, CompressionMethod.None, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (Translate(error) is { } known)
        {
            throw known;
        }
    }

    /// <summary>Closes the connection; a backup that is running is given up by the server.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_channel.IsBusy)
        {
            try
            {
                using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(1));
                await _wire.SendAsync('X', default, limit.Token).ConfigureAwait(false);
            }
            catch (Exception error) when (error is IOException or ObjectDisposedException or OperationCanceledException)
            {
                // It is gone already.
            }
        }
        await _wire.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>The catalogue's error for a failure of this connection; null for what is none.</summary>
    internal PgBackupException? Translate(Exception error) => error is ServerReportException report
        ? ReplicationErrors.OfCommand(report, Server, _user)
        : ReplicationErrors.OfConnection(error, Server);

    private static async Task<ReplicationConnection> OpenAsync(
        ServerConnectionSettings settings, bool staysWhenIdle, string? applicationName, IOperationLog? log, CancellationToken cancellationToken)
    {
        NpgsqlConnectionStringBuilder builder = settings.ToBuilder(null);
        builder.ApplicationName = applicationName ?? builder.ApplicationName;
        (WireStream wire, int processId) = await ServerLogin.OpenAsync(builder, Options(builder, staysWhenIdle), cancellationToken).ConfigureAwait(false);
        var connection = new ReplicationConnection(wire, processId, builder, log ?? OperationLog.None);
        try
        {
            string number = await connection.ShowAsync("server_version_num", cancellationToken).ConfigureAwait(false);
            connection.MajorVersion = int.TryParse(number, CultureInfo.InvariantCulture, out int version) ? version / 10000
                : throw PgErrors.ServerAnswerUnexpected(connection.Server, $"its version is '{number}'", new FormatException(number));
            return connection.MajorVersion >= ServerSession.OldestVersion
                ? connection
                : throw PgErrors.ServerTooOld(connection.Server, connection.MajorVersion, ServerSession.OldestVersion);
        }
        catch
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    // Not by SET, which a physical replication connection does not take; of two words the last one counts.
    private static string? Options(NpgsqlConnectionStringBuilder settings, bool staysWhenIdle)
    {
        string? given = settings.Options ?? Environment.GetEnvironmentVariable("PGOPTIONS");
        return staysWhenIdle ? $"{given} -c idle_session_timeout=0".TrimStart() : given;
    }

    private static bool IsRefusedCompression(ServerReport report) =>
        report.SqlState is PostgresErrorCodes.FeatureNotSupported or PostgresErrorCodes.SyntaxError or PostgresErrorCodes.InvalidParameterValue;

    private async Task<List<string?[]>> QueryAsync(string command, CancellationToken cancellationToken)
    {
        try
        {
            return await _channel.QueryAsync(command, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception error) when (Translate(error) is { } known)
        {
            throw known;
        }
    }
}
