using System.Net.Sockets;
using Npgsql;
using PgBackup.Errors;

namespace PgBackup.Postgres.Server;

/// <summary>
/// One unpooled session with a server, for as long as it is needed: no time limits of the driver or of the session, TCP keepalives on, poolers refused.
/// Failures are <see cref="PgBackupException"/>: <c>ServerConnectionFailed</c>, <c>AuthenticationFailed</c>, <c>PoolerRefused</c>, <c>ServerQueryFailed</c>.
/// </summary>
public sealed class ServerSession : IAsyncDisposable
{
    /// <summary>The oldest server that PgBackup works with.</summary>
    public const int OldestVersion = 13;

    private readonly NpgsqlConnection _connection;

    private ServerSession(NpgsqlConnection connection, string server, int versionNumber)
    {
        _connection = connection;
        Server = server;
        VersionNumber = versionNumber;
    }

    /// <summary>Host and port, for messages.</summary>
    public string Server { get; }

    /// <summary><c>server_version_num</c>: 150018.</summary>
    public int VersionNumber { get; }

    /// <summary>The major version: 15.</summary>
    public int MajorVersion => VersionNumber / 10000;

    /// <summary>
    /// Connects. The database is that of the settings, or <paramref name="database"/>. Throws for servers older than <see cref="OldestVersion"/>.
    /// </summary>
    public static async Task<ServerSession> OpenAsync(ServerConnectionSettings settings, string? database = null, CancellationToken cancellationToken = default)
    {
        NpgsqlConnectionStringBuilder builder = settings.ToBuilder(database);
        string server = $"{builder.Host}:{builder.Port}";
        var connection = new NpgsqlConnection(builder.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            var session = new ServerSession(connection, server, await PrepareAsync(connection, server, cancellationToken).ConfigureAwait(false));
            return session.MajorVersion >= OldestVersion ? session : throw PgErrors.ServerTooOld(server, session.MajorVersion, OldestVersion);
        }
        catch (Exception error)
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            throw Translate(error, server, builder.Username, builder.Database) is { } known ? known : error;
        }
    }

    /// <summary>Connects to the one database that every cluster has and everybody takes for such work: <c>postgres</c>, else <c>template1</c>.</summary>
    public static async Task<ServerSession> OpenMaintenanceAsync(ServerConnectionSettings settings, CancellationToken cancellationToken = default)
    {
        try
        {
            return await OpenAsync(settings, "postgres", cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.InnerException is PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName })
        {
            return await OpenAsync(settings, "template1", cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Runs a statement.</summary>
    public async Task ExecuteAsync(string sql, CancellationToken cancellationToken = default)
    {
        await RunAsync(sql, [], static async (command, token) => await command.ExecuteNonQueryAsync(token).ConfigureAwait(false), cancellationToken)
            .ConfigureAwait(false);
    }

    /// <summary>The first column of the first row, as it comes; <c>default</c> for SQL null and for no row.</summary>
    public Task<T?> ScalarAsync<T>(string sql, CancellationToken cancellationToken = default, params object[] parameters) =>
        RunAsync(sql, parameters, static async (command, token) =>
        {
            object? value = await command.ExecuteScalarAsync(token).ConfigureAwait(false);
            return value is null or DBNull ? default : (T)value;
        }, cancellationToken);

    /// <summary>All rows, each made by <paramref name="read"/>.</summary>
    public Task<List<T>> QueryAsync<T>(string sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken = default, params object[] parameters) =>
        RunAsync(sql, parameters, async (command, token) =>
        {
            var rows = new List<T>();
            NpgsqlDataReader reader = await command.ExecuteReaderAsync(token).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.ReadAsync(token).ConfigureAwait(false))
                    rows.Add(read(reader));
            }
            return rows;
        }, cancellationToken);

    /// <summary>Hands each row to <paramref name="take"/> as it comes; for results that need not fit into memory.</summary>
    public Task ReadAsync(string sql, Func<NpgsqlDataReader, Task> take, CancellationToken cancellationToken = default) =>
        RunAsync(sql, [], async (command, token) =>
        {
            NpgsqlDataReader reader = await command.ExecuteReaderAsync(token).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                while (await reader.ReadAsync(token).ConfigureAwait(false))
                    await take(reader).ConfigureAwait(false);
            }
            return true;
        }, cancellationToken);

    /// <summary>Ends the session; a backup that was begun in it and not stopped is given up by the server.</summary>
    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private static async Task<int> PrepareAsync(NpgsqlConnection connection, string server, CancellationToken cancellationToken)
    {
        NpgsqlCommand command = connection.CreateCommand();
        await using (command.ConfigureAwait(false))
        {
            command.CommandText = "SELECT pg_backend_pid(), current_setting('server_version_num')::int";
            int backend, version;
            NpgsqlDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                backend = reader.GetInt32(0);
                version = reader.GetInt32(1);
            }
            // A pooler gives out a key of its own, and the next statement may run in another backend.
            if (backend != connection.ProcessID)
                throw PgErrors.PoolerRefused(server);
            command.CommandText = "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET client_min_messages = warning"
                + (version >= 140000 ? "; SET idle_session_timeout = 0" : "")
                + (version >= 170000 ? "; SET transaction_timeout = 0" : "");
            await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
            return version;
        }
    }

    private async Task<T> RunAsync<T>(string sql, object[] parameters, Func<NpgsqlCommand, CancellationToken, Task<T>> run, CancellationToken cancellationToken)
    {
        try
        {
            NpgsqlCommand command = _connection.CreateCommand();
            await using (command.ConfigureAwait(false))
            {
                command.CommandText = sql;
                foreach (object parameter in parameters)
                    command.Parameters.AddWithValue(parameter);
                return await run(command, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (PostgresException error)
        {
            throw error.SqlState switch
            {
                PostgresErrorCodes.InsufficientPrivilege => PgErrors.InsufficientPrivilege(Server, error.MessageText, error),
                // A session that is being ended says so as its last answer.
                PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown => PgErrors.ServerConnectionLost(Server, error),
                _ => PgErrors.ServerQueryFailed(Server, error.MessageText, error),
            };
        }
        catch (Exception error) when (error is NpgsqlException or IOException or SocketException or InvalidOperationException)
        {
            throw PgErrors.ServerConnectionLost(Server, error);
        }
    }

    private static PgBackupException? Translate(Exception error, string server, string? user, string? database) => error switch
    {
        PostgresException { SqlState: PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification } refused =>
            PgErrors.AuthenticationFailed(server, user ?? "", refused.MessageText, refused),
        PostgresException refused => PgErrors.ServerConnectionFailed(server, database ?? "", refused.MessageText, refused),
        NpgsqlException or SocketException or IOException or TimeoutException =>
            PgErrors.ServerConnectionFailed(server, database ?? "", (error.InnerException ?? error).Message, error),
        _ => null,
    };
}
