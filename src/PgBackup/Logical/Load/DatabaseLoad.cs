using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.Postgres.Tools;
using PgBackup.Repository.Dumps;

namespace PgBackup.Logical.Load;

/// <summary>
/// Restores a logical dump by PostgreSQL's own programs: an archive by pg_restore, a script by psql. Nothing is changed before <see cref="RunAsync(Action{PgBackupException}, CancellationToken)"/>.
/// A database that the restore itself created and that holds nothing when it fails is dropped again; in every other case nothing is.
/// </summary>
public sealed class DatabaseLoad
{
    private static readonly TimeSpan s_cleanUpLimit = TimeSpan.FromSeconds(30);

    private readonly DumpSource _source;
    private readonly LoadOptions _options;
    private readonly IOperationLog _log;
    private readonly IProgress<OperationProgress> _progress;

    private DatabaseLoad(DumpSource source, LoadOptions options, IOperationLog log, IProgress<OperationProgress> progress)
    {
        _source = source;
        _options = options;
        _log = log;
        _progress = progress;
    }

    /// <summary>The database to restore into; null for globals.</summary>
    public string? Database { get; private set; }

    /// <summary>Whether the database will be created.</summary>
    public bool Creates { get; private set; }

    /// <summary>Whether there is something that will be overwritten: it asks to be confirmed.</summary>
    public bool Overwrites { get; private set; }

    /// <summary>The server, as host and port.</summary>
    public string Server => _options.Server.Describe();

    /// <summary>What will be done, as a sentence without its end.</summary>
    public string Description => Database is null ? $"Restore the roles and tablespaces of '{_source.Name}'"
        : $"{(Creates ? "Create the database and restore" : Overwrites ? "Drop what the dump holds and restore" : "Restore")} '{_source.Name}'"
            + (_options.Tables.Count > 0 ? $" ({string.Join(", ", _options.Tables)})" : _options.Schemas.Count > 0 ? $" (schema {string.Join(", ", _options.Schemas)})" : "");

    /// <summary>The server's major version.</summary>
    internal int ServerMajor { get; private set; }

    /// <summary>Looks at the target and refuses what cannot or should not be done.</summary>
    /// <exception cref="PgBackupException">
    /// <c>RestoreOptionsInvalid</c>, <c>TargetDatabaseMissing</c>, <c>TargetNotEmpty</c>, <c>ServerConnectionFailed</c>, <c>AuthenticationFailed</c>.
    /// </exception>
    public static async Task<DatabaseLoad> PrepareAsync(
        DumpSource source, LoadOptions options, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken = default)
    {
        LoadRules.Check(source, options);
        var load = new DatabaseLoad(source, options, log, progress);
        if (source.Content == DumpContent.Globals)
        {
            ServerSession session = await ServerSession.OpenMaintenanceAsync(options.Server, cancellationToken).ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
                load.ServerMajor = session.MajorVersion;
            return load;
        }
        load.Database = options.TargetDatabase ?? source.Database ?? LoadRules.DatabaseOf(options.Server) ?? throw PgErrors.TargetDatabaseMissing(source.Name);
        var target = new TargetDatabase(options.Server, load.Database);
        (load.ServerMajor, bool exists) = await target.LookAsync(cancellationToken).ConfigureAwait(false);
        load.Creates = !exists;
        string? content = exists ? await target.DescribeContentAsync(cancellationToken).ConfigureAwait(false) : null;
        load.Overwrites = content is not null && options.Clean;
        // With tables or schemas it is enough that none of theirs is there; the archive tells which they are.
        bool chooses = options.Tables.Count > 0 || options.Schemas.Count > 0;
        return content is null || chooses || options.Clean || options.DataOnly || options.AllowNonEmpty
            ? load
            : throw PgErrors.TargetNotEmpty(load.Database, load.Server, content);
    }

    /// <summary>Prepares and restores in one call.</summary>
    public static async Task<DatabaseRestoreResult> RunAsync(
        DumpSource source, LoadOptions options, IOperationLog log, IProgress<OperationProgress> progress, Action<PgBackupException> onObjectError, CancellationToken cancellationToken = default)
    {
        DatabaseLoad load = await PrepareAsync(source, options, log, progress, cancellationToken).ConfigureAwait(false);
        return await load.RunAsync(onObjectError, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Restores. What could not be restored is told by <paramref name="onObjectError"/> (from any thread; of many the first hundred), and the result is then
    /// <see cref="DatabaseRestoreStatus.Partial"/>.
    /// </summary>
    /// <exception cref="PgBackupException">
    /// <c>DatabaseRestoreFailed</c>, <c>RestoreInputBroken</c>, <c>DatabaseNotCreated</c>, <c>TargetHoldsObjects</c>, <c>TableNotInDump</c>, <c>ClientToolMissing</c>, <c>ScratchFolderFailed</c>.
    /// </exception>
    public async Task<DatabaseRestoreResult> RunAsync(Action<PgBackupException> onObjectError, CancellationToken cancellationToken = default)
    {
        DateTimeOffset start = DateTimeOffset.UtcNow;
        long begin = Stopwatch.GetTimestamp();
        var failures = new FailureCollector(onObjectError);
        var target = Database is null ? null : new TargetDatabase(_options.Server, Database);
        bool created = false;
        try
        {
            LoadRun run = _source.Format == DumpFormat.Plain
                ? await ScriptLoad.PrepareAsync(_source, _options, ServerMajor, cancellationToken).ConfigureAwait(false)
                : await ArchiveLoad.PrepareAsync(_source, _options, ServerMajor, Creates ? null : target, _log, _progress, cancellationToken).ConfigureAwait(false);
            using (run)
            {
                if (Creates)
                {
                    await CreateAsync(target!, run.Traits, cancellationToken).ConfigureAwait(false);
                    created = true;
                }
                using var connection = ToolConnection.Create(_options.Server, Database ?? "postgres");
                await run.RunAsync(connection, failures, _log, _progress, cancellationToken).ConfigureAwait(false);
                if (failures.Count > 0 && created && await target!.DescribeContentAsync(cancellationToken).ConfigureAwait(false) is null)
                    throw PgErrors.DatabaseRestoreFailed(_source.Name, Database, failures.Last!, "Nothing was restored.");
                return new DatabaseRestoreResult
                {
                    Database = Database,
                    Status = failures.Count == 0 ? DatabaseRestoreStatus.Complete : DatabaseRestoreStatus.Partial,
                    Source = _source.Name,
                    Format = _source.Format,
                    Created = created,
                    TableCount = run.TableCount,
                    ErrorCount = failures.Count,
                    Tool = run.Tool.ToString(),
                    Server = Server,
                    StartTime = start,
                    FinishTime = start + Stopwatch.GetElapsedTime(begin),
                };
            }
        }
        catch when (created)
        {
            await DropAsync(target!).ConfigureAwait(false);
            throw;
        }
    }

    private async Task CreateAsync(TargetDatabase target, DatabaseTraits? traits, CancellationToken cancellationToken)
    {
        await target.CreateAsync(traits, cancellationToken).ConfigureAwait(false);
        _log.Verbose(traits is null
            ? $"Created the database '{target.Name}' with the server's encoding and locale: the dump does not tell its own."
            : $"Created the database '{target.Name}' as the dump's was:{traits.ToSql(ServerMajor)}.");
    }

    // Only what this restore made, and only when nothing is in it.
    private async Task DropAsync(TargetDatabase target)
    {
        using var limit = new CancellationTokenSource(s_cleanUpLimit);
        try
        {
            _log.Warning(await target.DropIfEmptyAsync(limit.Token).ConfigureAwait(false)
                ? $"The database '{target.Name}', created for this restore, was dropped again: nothing was restored into it."
                : $"The database '{target.Name}', created for this restore, stays: it holds what was restored before the failure. Drop it before you restore again.");
        }
        catch (Exception error) when (error is PgBackupException or OperationCanceledException)
        {
            _log.Warning($"The database '{target.Name}', created for this restore, stays: whether it is empty could not be found out ({error.Message})");
        }
    }
}
