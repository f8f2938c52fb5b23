using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Logical.Dump;
using PgBackup.Logical.Load;
using PgBackup.Postgres.Server;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;

namespace PgBackup.Logical.Comparison;

/// <summary>
/// Dumps, and proves the dump: reads it back from where it was stored, restores it into a scratch database, and compares that with the very snapshot that was dumped. What the snapshot
/// holds is read after the dump and before the snapshot is let go.
/// </summary>
public sealed class VerifiedDump
{
    private const int KeptDifferences = 100;

    private readonly DumpOptions _options;
    private readonly ServerConnectionSettings _server;
    private readonly bool _isElsewhere;
    private readonly IOperationLog _log;
    private readonly IProgress<OperationProgress> _progress;
    private readonly List<DumpDifference> _differences = [];
    private int _differenceCount;
    private ScratchServer _scratch = null!;

    private VerifiedDump(DumpOptions options, ServerConnectionSettings? server, IOperationLog log, IProgress<OperationProgress> progress)
    {
        _options = options;
        _isElsewhere = server is not null;
        _server = server ?? options.Server;
        _log = log;
        _progress = progress;
    }

    // What another server does not have is no fault of the dump: roles, tablespaces.
    private bool RestoresOwners => !_isElsewhere && _scratch.IsSuperuser;

    /// <summary>
    /// Dumps one database into a repository and proves the dump. Throws before anything is dumped when nothing can be proven (<c>VerifyServerUnfit</c>, <c>DumpOptionsInvalid</c>), and what
    /// <see cref="DatabaseDumpJob.RunAsync"/> throws; from then on the finding stands in <see cref="DatabaseBackup.Verification"/>.
    /// </summary>
    /// <param name="repository">The repository.</param>
    /// <param name="options">What to dump.</param>
    /// <param name="server">The server to restore on; null for the one that is dumped.</param>
    /// <param name="log">Told of steps and warnings.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellationToken">Stops it; the scratch database is dropped.</param>
    public static async Task<DatabaseBackup> RunAsync(
        BackupRepository repository, DumpOptions options, ServerConnectionSettings? server, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken = default)
    {
        var job = new VerifiedDump(options, server, log, progress);
        DatabaseBackup? backup = null;
        DumpVerification verification = await job.ProveAsync(
            async whileSnapshot => backup = await DatabaseDumpJob.RunHoldingAsync(repository, options, whileSnapshot, log, progress, cancellationToken).ConfigureAwait(false),
            () => DumpSource.FromRepositoryAsync(repository, backup!.Name, cancellationToken), cancellationToken).ConfigureAwait(false);
        return backup! with { Verification = verification };
    }

    /// <summary>As <see cref="RunAsync"/>, of a dump in a file or a folder.</summary>
    public static async Task<DumpFileResult> RunToFileAsync(
        DumpOptions options, string path, bool overwrite, ServerConnectionSettings? server, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken = default)
    {
        var job = new VerifiedDump(options, server, log, progress);
        DumpFileResult? file = null;
        DumpVerification verification = await job.ProveAsync(
            async whileSnapshot => file = await DatabaseDumpJob.RunToFileHoldingAsync(options, path, overwrite, whileSnapshot, log, progress, cancellationToken).ConfigureAwait(false),
            () => DumpSource.FromPathAsync(file!.Path, cancellationToken), cancellationToken).ConfigureAwait(false);
        return file! with { Verification = verification };
    }

    private async Task<DumpVerification> ProveAsync(Func<Func<DumpSession, Task>, Task> dumpAsync, Func<Task<DumpSource>> openAsync, CancellationToken cancellationToken)
    {
        if (_options.DataOnly)
            throw PgErrors.DumpOptionsInvalid("rows alone cannot be restored into a new database to prove them.", "Leave out -DataOnly or -Verify.");
        _scratch = await ScratchServer.OpenAsync(_server, _log, cancellationToken).ConfigureAwait(false);
        await using (_scratch.ConfigureAwait(false))
        {
            if (_options.Format == DumpFormat.Plain && !RestoresOwners)
            {
                throw PgErrors.DumpOptionsInvalid(
                    "an SQL script gives its objects to their owners, and only a superuser of the server that was dumped can do so.",
                    "Take another -Format, which restores without owners, or log in as superuser and leave out -VerifyServer.");
            }
            long begin = 0;
            DatabaseContents? dumped = null;
            DatabaseTraits? traits = null;
            PgBackupException? failure = null;
            await dumpAsync(async session =>
            {
                begin = Stopwatch.GetTimestamp();
                try
                {
                    traits = DatabaseTraits.FromFacts(session.Facts!);
                    dumped = await ReadDumpedAsync(session, cancellationToken).ConfigureAwait(false);
                }
                catch (PgBackupException error)
                {
                    // The dump is whole; that it could not be proven must not undo it.
                    failure = error;
                }
            }).ConfigureAwait(false);
            try
            {
                if (dumped is not null)
                    await CompareAsync(dumped, traits!, openAsync, cancellationToken).ConfigureAwait(false);
            }
            catch (PgBackupException error) when (error.Id is "DatabaseRestoreFailed" or "RestoreInputBroken")
            {
                Add(new DumpDifference("Not restored", error.Message));
            }
            catch (PgBackupException error)
            {
                failure = error;
            }
            return Conclude(dumped, failure, Stopwatch.GetElapsedTime(begin));
        }
    }

    private async Task<DatabaseContents> ReadDumpedAsync(DumpSession session, CancellationToken cancellationToken)
    {
        var reader = new ContentsReader(_options.Server, _options.Subject, session.Session);
        List<TableName> tables = _options.SchemaOnly ? []
            : await reader.ChooseTablesAsync(session.Tables.Tables.Select(table => new TableName(table.Schema, table.Name)), cancellationToken).ConfigureAwait(false);
        // pg_dump takes them when it takes everything (include_everything in src/bin/pg_dump/pg_dump.c).
        bool holdsLargeObjects = !_options.SchemaOnly && _options.Tables.Count + _options.Schemas.Count == 0;
        return new DatabaseContents
        {
            Rows = await reader.CountAsync(tables, Counting("Counting the rows that were dumped", tables.Count), cancellationToken).ConfigureAwait(false),
            LargeObjects = holdsLargeObjects ? await reader.CountLargeObjectsAsync(cancellationToken).ConfigureAwait(false) : null,
            Objects = await reader.ReadObjectsAsync([.. _options.Selection(), "--snapshot=" + session.SnapshotName], RestoresOwners, _log.Verbose, cancellationToken).ConfigureAwait(false),
        };
    }

    private Task CompareAsync(DatabaseContents dumped, DatabaseTraits traits, Func<Task<DumpSource>> openAsync, CancellationToken cancellationToken) => _scratch.WithDatabaseAsync(traits, async name =>
    {
        List<string> schemas = [.. dumped.MissingSchemas()];
        await CreateAsync(name, schemas, cancellationToken).ConfigureAwait(false);
        DumpSource source = await openAsync().ConfigureAwait(false);
        await using (source.ConfigureAwait(false))
            await DatabaseLoad.RunAsync(source, LoadOptions(name), _log, _progress, error => Add(new DumpDifference("Not restored", error.Message)), cancellationToken).ConfigureAwait(false);
        DatabaseContents restored = await ReadRestoredAsync(name, dumped, cancellationToken).ConfigureAwait(false);
        restored = restored with { Objects = [.. restored.Objects.Where(item => item.Kind != "SCHEMA" || !schemas.Contains(item.Name))] };
        foreach (DumpDifference difference in ContentsComparison.Compare(dumped, restored))
            Add(difference);
        return true;
    }, cancellationToken);

    private async Task CreateAsync(string database, List<string> schemas, CancellationToken cancellationToken)
    {
        if (schemas.Count == 0)
            return;
        ServerSession session = await ServerSession.OpenAsync(_server, database, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            foreach (string schema in schemas)
                await session.ExecuteAsync($"CREATE SCHEMA {SqlText.Identifier(schema)}", cancellationToken).ConfigureAwait(false);
        }
    }

    private LoadOptions LoadOptions(string database)
    {
        bool isScript = _options.Format == DumpFormat.Plain;
        return new LoadOptions
        {
            Server = _server,
            TargetDatabase = database,
            AllowNonEmpty = true,
            NoOwner = !RestoresOwners,
            NoPrivilege = !RestoresOwners,
            NoTablespace = _isElsewhere,
            NoSubscription = !isScript,
        };
    }

    private async Task<DatabaseContents> ReadRestoredAsync(string database, DatabaseContents dumped, CancellationToken cancellationToken)
    {
        ServerSession session = await ServerSession.OpenAsync(_server, database, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            var reader = new ContentsReader(_server, database, session);
            return new DatabaseContents
            {
                Objects = await reader.ReadObjectsAsync([], RestoresOwners, _log.Verbose, cancellationToken).ConfigureAwait(false),
                Rows = await reader.CountAsync([.. dumped.Rows.Keys], Counting("Counting the rows that were restored", dumped.Rows.Count), cancellationToken).ConfigureAwait(false),
                LargeObjects = dumped.LargeObjects is null ? null : await reader.CountLargeObjectsAsync(cancellationToken).ConfigureAwait(false),
            };
        }
    }

    private DumpVerification Conclude(DatabaseContents? dumped, PgBackupException? failure, TimeSpan duration)
    {
        DumpVerificationStatus status = _differenceCount > 0 ? DumpVerificationStatus.Different : failure is not null ? DumpVerificationStatus.NotVerified : DumpVerificationStatus.Verified;
        var verification = new DumpVerification
        {
            Status = status,
            Server = _scratch.Server,
            ObjectCount = dumped?.Objects.Count ?? 0,
            TableCount = dumped?.Rows.Count ?? 0,
            RowCount = dumped?.Rows.Values.Sum() ?? 0,
            LargeObjectCount = dumped?.LargeObjects,
            Differences = _differences,
            DifferenceCount = _differenceCount,
            Problem = status switch
            {
                DumpVerificationStatus.Different => string.Join("; ", _differences.Take(3)) + (_differenceCount > 3 ? $"; and {_differenceCount - 3} more" : ""),
                DumpVerificationStatus.NotVerified => failure!.Message,
                _ => null,
            },
            Duration = duration,
            Failure = failure,
        };
        if (status == DumpVerificationStatus.Verified)
            _log.Information($"The dump of {_options.Subject} was restored on {_scratch.Server} and holds what was dumped. {verification}");
        return verification;
    }

    private void Add(DumpDifference difference)
    {
        lock (_differences)
        {
            if (_differenceCount++ < KeptDifferences)
                _differences.Add(difference);
        }
    }

    private Action<int> Counting(string phase, int total) =>
        done => _progress.Report(new OperationProgress($"Verifying the dump of {_options.Subject}", phase, done, total, ProgressUnit.Items));
}
