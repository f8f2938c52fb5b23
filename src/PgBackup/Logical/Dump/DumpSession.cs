using System.Globalization;
using Npgsql;
using PgBackup.Errors;
using PgBackup.Postgres.Server;

namespace PgBackup.Logical.Dump;

/// <summary>What a database is created with.</summary>
internal sealed record DatabaseFacts(string Encoding, string Collate, string CharacterType, string LocaleProvider, string? Locale, long? Size);

/// <summary>
/// One session beside pg_dump, which holds the snapshot that pg_dump reads: so that the tables, the position of the log and the dump speak of one moment. Disposing ends it.
/// </summary>
internal sealed class DumpSession : IAsyncDisposable
{
    private readonly ServerSession _session;

    private DumpSession(ServerSession session) => _session = session;

    /// <summary>The session that holds the snapshot, for whoever looks at what is dumped.</summary>
    public ServerSession Session => _session;

    public string Server => _session.Server;

    public int VersionNumber => _session.VersionNumber;

    public int MajorVersion => _session.MajorVersion;

    public ulong? SystemIdentifier { get; private set; }

    /// <summary>Null for globals.</summary>
    public DatabaseFacts? Facts { get; private set; }

    public string SnapshotName { get; private set; } = "";

    public Lsn SnapshotLsn { get; private set; }

    public DateTimeOffset SnapshotTime { get; private set; }

    public DumpedTables Tables { get; private set; } = new([], []);

    /// <summary>Whether the role may read the passwords of roles.</summary>
    public bool ReadsPasswords { get; private set; }

    /// <summary>
    /// Connects, and for a database takes the snapshot. Throws <c>DatabaseNotFound</c>, <c>InsufficientPrivilege</c> and what <see cref="ServerSession.OpenAsync"/> throws.
    /// </summary>
    public static async Task<DumpSession> OpenAsync(DumpOptions options, CancellationToken cancellationToken)
    {
        bool isDatabase = options.Content == DumpContent.Database;
        ServerSession session = isDatabase
            ? await ConnectAsync(options, cancellationToken).ConfigureAwait(false)
            : await ServerSession.OpenMaintenanceAsync(options.Server, cancellationToken).ConfigureAwait(false);
        var dump = new DumpSession(session);
        try
        {
            // Asked first: an error within the transaction would end it.
            if (await session.ScalarAsync<bool>("SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')", cancellationToken).ConfigureAwait(false))
                dump.SystemIdentifier = unchecked((ulong)await session.ScalarAsync<long>("SELECT system_identifier FROM pg_catalog.pg_control_system()", cancellationToken).ConfigureAwait(false));
            dump.ReadsPasswords = await session.ScalarAsync<bool>("SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT')", cancellationToken).ConfigureAwait(false);
            if (isDatabase)
                dump.Facts = await dump.ReadFactsAsync(cancellationToken).ConfigureAwait(false);
            await dump.TakeSnapshotAsync(cancellationToken).ConfigureAwait(false);
            if (isDatabase)
                dump.Tables = await TableQuery.RunAsync(session, options, cancellationToken).ConfigureAwait(false);
            return dump;
        }
        catch
        {
            await dump.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public ValueTask DisposeAsync() => _session.DisposeAsync();

    private static async Task<ServerSession> ConnectAsync(DumpOptions options, CancellationToken cancellationToken)
    {
        try
        {
            return await ServerSession.OpenAsync(options.Server, options.Database, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.InnerException is PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName } refused)
        {
            throw PgErrors.DatabaseNotFound(options.Server.Describe(), options.Subject, refused);
        }
        catch (PgBackupException error) when (error.InnerException is PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } refused)
        {
            throw PgErrors.DumpPrivilegeMissing(options.Server.Describe(), options.Subject, refused.MessageText, refused);
        }
    }

    private async Task<DatabaseFacts> ReadFactsAsync(CancellationToken cancellationToken)
    {
        // pg_database's columns: the provider from 15 on, the locale under two names since then.
        string provider = MajorVersion >= 15 ? "datlocprovider::text" : "'c'";
        string locale = MajorVersion >= 17 ? "datlocale::text" : MajorVersion >= 15 ? "daticulocale::text" : "NULL::text";
        List<DatabaseFacts> rows = await _session.QueryAsync(
            $"""
            SELECT pg_catalog.pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text, {provider}, {locale}, pg_catalog.pg_database_size(oid)
            FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
            """,
            row => new DatabaseFacts(
                row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(3), row.IsDBNull(4) ? null : row.GetString(4), row.IsDBNull(5) ? null : row.GetInt64(5)),
            cancellationToken).ConfigureAwait(false);
        return rows[0];
    }

    private async Task TakeSnapshotAsync(CancellationToken cancellationToken)
    {
        // An imported snapshot must come from a transaction of this isolation level (PostgreSQL documentation, SET TRANSACTION).
        await _session.ExecuteAsync("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", cancellationToken).ConfigureAwait(false);
        List<(string Name, string Lsn, DateTime Time)> rows = await _session.QueryAsync(
            """
            SELECT pg_catalog.pg_export_snapshot(), pg_catalog.clock_timestamp(),
                   coalesce(CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END, '0/0')::text
            """,
            row => (row.GetString(0), row.GetString(2), row.GetDateTime(1)), cancellationToken).ConfigureAwait(false);
        SnapshotName = rows[0].Name;
        SnapshotLsn = Lsn.Parse(rows[0].Lsn, CultureInfo.InvariantCulture);
        SnapshotTime = new DateTimeOffset(rows[0].Time);
    }
}
