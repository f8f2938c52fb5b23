using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Npgsql;
using PgBackup.Errors;
using PgBackup.Logical.Dump;
using PgBackup.Logical.Load;
using PgBackup.Postgres.Server;

namespace PgBackup.Logical.Comparison;

/// <summary>
/// The server that dumps are restored on to prove them. Each scratch database has a random name, and while it is in use the session here holds a lock of that name: a database of such
/// a name whose lock is free was left behind by a run that was killed, and is dropped by the next.
/// </summary>
internal sealed partial class ScratchServer : IAsyncDisposable
{
    private static readonly TimeSpan s_cleanUpLimit = TimeSpan.FromSeconds(60);

    private readonly ServerConnectionSettings _settings;
    private readonly ServerSession _session;
    private readonly IOperationLog _log;

    private ScratchServer(ServerConnectionSettings settings, ServerSession session, IOperationLog log)
    {
        _settings = settings;
        _session = session;
        _log = log;
    }

    public string Server => _session.Server;

    public int MajorVersion => _session.MajorVersion;

    /// <summary>Whether the role may give objects to any other.</summary>
    public bool IsSuperuser { get; private set; }

    /// <summary>Connects, and refuses a server on which nothing can be proven. Throws <c>VerifyServerUnfit</c>, and what a connection throws.</summary>
    public static async Task<ScratchServer> OpenAsync(ServerConnectionSettings settings, IOperationLog log, CancellationToken cancellationToken)
    {
        ServerSession session = await ServerSession.OpenMaintenanceAsync(settings, cancellationToken).ConfigureAwait(false);
        var server = new ScratchServer(settings, session, log);
        try
        {
            if (await session.ScalarAsync<bool>("SELECT pg_catalog.pg_is_in_recovery()", cancellationToken).ConfigureAwait(false))
                throw PgErrors.VerifyServerUnfit(session.Server, "it is a standby, and takes no databases of its own.", "Name a server that does with -VerifyServer.");
            List<(bool Super, bool Creates)> role = await session.QueryAsync(
                "SELECT rolsuper, rolcreatedb FROM pg_catalog.pg_roles WHERE rolname = current_user", row => (row.GetBoolean(0), row.GetBoolean(1)), cancellationToken).ConfigureAwait(false);
            if (!role.Exists(r => r.Super || r.Creates))
                throw PgErrors.VerifyServerUnfit(session.Server, "the role that logged in may not create databases.", "Grant it CREATEDB, log in as another role, or name another server with -VerifyServer.");
            server.IsSuperuser = role[0].Super;
            await server.SweepAsync(cancellationToken).ConfigureAwait(false);
            return server;
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Creates a database as the dumped one was, gives it to <paramref name="use"/>, and drops it whatever happens.</summary>
    public async Task<T> WithDatabaseAsync<T>(DatabaseTraits? traits, Func<string, Task<T>> use, CancellationToken cancellationToken)
    {
        string name = DatabaseDumpJob.ScratchPrefix + RandomNumberGenerator.GetHexString(16, lowercase: true);
        await TryLockAsync(name, cancellationToken).ConfigureAwait(false);
        try
        {
            await new TargetDatabase(_settings, name).CreateAsync(traits, cancellationToken).ConfigureAwait(false);
            return await use(name).ConfigureAwait(false);
        }
        finally
        {
            // Not by the caller's token: a stopped run drops it, too.
            using var limit = new CancellationTokenSource(s_cleanUpLimit);
            await DropAsync(name, limit.Token).ConfigureAwait(false);
        }
    }

    public ValueTask DisposeAsync() => _session.DisposeAsync();

    private Task<bool> TryLockAsync(string name, CancellationToken cancellationToken) =>
        _session.ScalarAsync<bool>("SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended($1, 0))", cancellationToken, name);

    private Task UnlockAsync(string name, CancellationToken cancellationToken) =>
        _session.ScalarAsync<bool>("SELECT pg_catalog.pg_advisory_unlock(pg_catalog.hashtextextended($1, 0))", cancellationToken, name);

    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        List<string> names = await _session.QueryAsync(
            "SELECT datname::text FROM pg_catalog.pg_database WHERE pg_catalog.starts_with(datname::text, $1)", row => row.GetString(0), cancellationToken, DatabaseDumpJob.ScratchPrefix).ConfigureAwait(false);
        foreach (string name in names.Where(name => ScratchName().IsMatch(name)))
        {
            if (!await TryLockAsync(name, cancellationToken).ConfigureAwait(false))
                continue;
            if (await DropAsync(name, cancellationToken).ConfigureAwait(false))
                _log.Warning($"The database '{name}' on {Server}, left behind by a verification that was killed, was dropped.");
        }
    }

    /// <summary>Drops the database if it is there, and gives its lock back. A failure is a warning: what was proven stays proven.</summary>
    private async Task<bool> DropAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            if (await _session.ScalarAsync<bool>("SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)", cancellationToken, name).ConfigureAwait(false))
            {
                await DetachSubscriptionsAsync(name, cancellationToken).ConfigureAwait(false);
                await _session.ExecuteAsync($"DROP DATABASE IF EXISTS {SqlText.Identifier(name)} WITH (FORCE)", cancellationToken).ConfigureAwait(false);
            }
            await UnlockAsync(name, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception error) when (error is PgBackupException or OperationCanceledException)
        {
            _log.Warning($"The scratch database '{name}' on {Server} could not be dropped ({error.Message}) Drop it: DROP DATABASE {name} WITH (FORCE). The next -Verify on this server tries again.");
            return false;
        }
    }

    // A script brings its subscriptions along. Dropped as they are they would drop the slots of the real ones at the publisher.
    private async Task DetachSubscriptionsAsync(string name, CancellationToken cancellationToken)
    {
        if (!IsSuperuser)
            return;
        List<string> subscriptions = await _session.QueryAsync(
            "SELECT subname::text FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = $1", row => row.GetString(0), cancellationToken, name).ConfigureAwait(false);
        if (subscriptions.Count == 0)
            return;
        ServerSession session = await ServerSession.OpenAsync(_settings, name, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            foreach (string subscription in subscriptions.Select(SqlText.Identifier))
            {
                await session.ExecuteAsync($"ALTER SUBSCRIPTION {subscription} DISABLE", cancellationToken).ConfigureAwait(false);
                await session.ExecuteAsync($"ALTER SUBSCRIPTION {subscription} SET (slot_name = NONE)", cancellationToken).ConfigureAwait(false);
                await session.ExecuteAsync($"DROP SUBSCRIPTION {subscription}", cancellationToken).ConfigureAwait(false);
            }
        }
    }

    [GeneratedRegex("^" + DatabaseDumpJob.ScratchPrefix + "[0-9a-f]{16}\\z")]
    private static partial Regex ScratchName();
}
