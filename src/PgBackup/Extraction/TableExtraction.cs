using System.Diagnostics;
using System.Text;
using PgBackup.Errors;
using PgBackup.Logical.Dump;
using PgBackup.Logical.Load;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Server;
using PgBackup.Postgres.Tools;
using PgBackup.Repository;
using PgBackup.Restore.Fetching;
using PgBackup.Restore.Planning;
using PgBackup.Restore.Starting;

namespace PgBackup.Extraction;

/// <summary>
/// Brings single tables back out of a base backup, as they were at a chosen moment: of the cluster as little as is needed is restored beside, a server of its own replays the log to the target,
/// and pg_dump takes the tables out of it, into a file or another database. Whatever ends this, that server ends too and its files are removed; what a kill leaves, the next run removes.
/// </summary>
public sealed class TableExtraction
{
    private static readonly string[] s_plain = [".sql", ".sql.gz", ".sql.zst"];

    private readonly BackupRepository _repository;
    private readonly TableExtractionOptions _options;
    private readonly IReadOnlyList<TableName> _names;
    private readonly string _workPath;
    private readonly FileOwner? _owner;
    private readonly ServerPrograms _programs;
    private readonly BackupSurvey _survey;
    private readonly IOperationLog _log;
    private readonly IProgress<OperationProgress> _progress;
    private readonly List<RestorePhase> _phases = [];
    private readonly List<string> _warnings = [];
    private readonly DateTimeOffset _startTime = DateTimeOffset.UtcNow;
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private Stopwatch _step = Stopwatch.StartNew();
    private DatabaseChoice? _choice;

    private TableExtraction(
        BackupRepository repository, TableExtractionOptions options, IReadOnlyList<TableName> names, RestorePlan plan, BackupSurvey survey, string workPath, FileOwner? owner,
        ServerPrograms programs, IOperationLog log, IProgress<OperationProgress> progress)
    {
        _repository = repository;
        _options = options;
        _names = names;
        _survey = survey;
        _workPath = workPath;
        _owner = owner;
        _programs = programs;
        _log = log;
        _progress = progress;
        Plan = plan;
        _warnings.AddRange(plan.Warnings);
    }

    /// <summary>How the target will be reached, proven.</summary>
    public RestorePlan Plan { get; }

    /// <summary>
    /// Plans and proves, and removes what earlier runs left that were killed. Throws what <see cref="RestorePlanner.PlanAsync"/> throws, and <c>TableNameInvalid</c>, <c>WorkPathInvalid</c>,
    /// <c>DatabaseNotInBackup</c>, <c>TablespaceCreatedLater</c>, <c>OwnerInvalid</c>, <c>ToolMissing</c>, <c>ClientToolMissing</c>, <c>DumpFileExists</c>.
    /// </summary>
    public static async Task<TableExtraction> PrepareAsync(
        BackupRepository repository, TableExtractionOptions options, IOperationLog? log = null, IProgress<OperationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        log ??= OperationLog.None;
        progress ??= NoProgress.Instance;
        Stopwatch watch = Stopwatch.StartNew();
        IReadOnlyList<TableName> names = [.. options.Tables.Select(TableName.Parse)];
        string workPath = Path.GetFullPath(options.WorkPath ?? Path.GetTempPath());
        if (!Directory.Exists(workPath))
            throw PgErrors.WorkPathInvalid(workPath, "there is no such folder.");
        var request = new RestoreRequest
        {
            Target = options.Target,
            Name = string.Equals(options.Backup, "LATEST", StringComparison.OrdinalIgnoreCase) ? null : options.Backup,
            Timeline = options.Timeline,
            RestoreCommand = "",
            FindsNewTablespaces = true,
        };
        RestorePlan plan = await RestorePlanner.PlanAsync(repository, request, progress, log, cancellationToken).ConfigureAwait(false);
        if (plan.NewTablespaces.Count > 0)
            throw PgErrors.TablespaceCreatedLater(plan.Name, plan.NewTablespaces);
        FileOwner? owner = FileOwner.Choose(options.Owner, Path.Combine(workPath, "none"), plan.Backup.DataDirectory);
        int? major = plan.Backup.ServerVersion?.Major;
        ServerPrograms programs = await ServerPrograms.FindAsync(major, owner, cancellationToken).ConfigureAwait(false);
        // Before a cluster is restored that could not be dumped.
        await ClientTool.FindAsync(ClientTool.PgDump, major ?? ServerSession.OldestVersion, cancellationToken).ConfigureAwait(false);
        if (options.Destination is { } file && !options.Overwrite && Path.Exists(file))
            throw PgErrors.DumpFileExists(file);
        // And before it is found out that nobody may log in where it is to go, or that it is there already.
        if (options.Load is { } load)
            await RequireLoadableAsync(load, options.Database, names, cancellationToken).ConfigureAwait(false);
        await ScratchFolder.ClearLeftoversAsync(workPath, owner, programs, log, cancellationToken).ConfigureAwait(false);
        BackupName name = BackupName.TryParse(plan.Name, out BackupName? parsed) ? parsed : throw new FormatException(plan.Name);
        BackupSurvey survey = await BackupSurvey.ReadAsync(repository, name, cancellationToken).ConfigureAwait(false);
        var extraction = new TableExtraction(repository, options, names, plan, survey, workPath, owner, programs, log, progress);
        if (!options.WholeCluster)
            await extraction.ChooseAsync(cancellationToken).ConfigureAwait(false);
        extraction._phases.Add(new RestorePhase("Plan", watch.Elapsed));
        return extraction;
    }

    /// <summary>
    /// Does it. Throws <c>InsufficientSpace</c>, <c>WorkPathInvalid</c>, <c>BackupDamaged</c>, <c>RestoreWriteFailed</c>, <c>RecoveryFailed</c>, <c>OperationTimeout</c>, <c>DatabaseNotFound</c>,
    /// <c>TableNotFound</c>, <c>TableAmbiguous</c>, <c>SourceRoleMissing</c>, and what <see cref="DatabaseDumpJob.RunToFileAsync"/> and <see cref="DatabaseLoad"/> throw.
    /// </summary>
    /// <param name="onObjectError">Told of each object that could not be loaded.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<TableExtractionResult> RunAsync(Action<PgBackupException> onObjectError, CancellationToken cancellationToken = default)
    {
        Attempt attempt = await AttemptAsync(_choice, onObjectError, cancellationToken).ConfigureAwait(false);
        if (attempt.Result is null)
        {
            // Between the backup and the target it was dropped and made anew, or another was given its name.
            DatabaseChoice? choice = _survey.Databases.Values.Contains(attempt.Database) ? new DatabaseChoice(attempt.Database) : null;
            Warn($"At the target another database is called '{_options.Database}' than in the backup: {(choice is null ? "the whole cluster" : "that one")} is restored beside.");
            attempt = await AttemptAsync(choice, onObjectError, cancellationToken).ConfigureAwait(false);
        }
        return attempt.Result! with { Duration = _watch.Elapsed, Phases = [.. _phases], Warnings = [.. _warnings] };
    }

    private static async Task RequireLoadableAsync(LoadOptions load, string source, IReadOnlyList<TableName> names, CancellationToken cancellationToken)
    {
        await (await ServerSession.OpenMaintenanceAsync(load.Server, cancellationToken).ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        if (load.Clean || load.DataOnly || load.AllowNonEmpty)
            return;
        string database = load.TargetDatabase ?? source;
        IReadOnlyList<FoundTable> there = await TableFinder.FindInTargetAsync(load.Server, database, names, cancellationToken).ConfigureAwait(false);
        if (there.Count > 0)
            throw PgErrors.TargetHoldsObjects(database, load.Server.Describe(), string.Join(", ", there.Take(5)));
    }

    private async Task ChooseAsync(CancellationToken cancellationToken)
    {
        if (_survey.ListsFiles && !_survey.TellsDatabases)
            _survey.Name(await ReadNamesAsync(cancellationToken).ConfigureAwait(false));
        if (!_survey.TellsDatabases)
        {
            Warn($"The backup '{Plan.Name}' does not tell which files are of which database: the whole cluster is restored beside.");
            return;
        }
        _choice = _survey.Databases.TryGetValue(_options.Database, out uint oid)
            ? new DatabaseChoice(oid)
            : throw PgErrors.DatabaseNotInBackup(_options.Database, Plan.Name, [.. _survey.Databases.Keys.Order(StringComparer.Ordinal)]);
    }

    private async Task<IReadOnlyDictionary<string, uint>> ReadNamesAsync(CancellationToken cancellationToken)
    {
        ScratchFolder scratch = ScratchFolder.Create(_workPath, _owner);
        try
        {
            BackupName[] chain = [.. Plan.Chain.Select(static n => BackupName.TryParse(n, out BackupName? name) ? name : throw new FormatException(n))];
            return await DatabaseCatalog.ReadAsync(_repository, chain, scratch.DataDirectory, _owner, _options.ThrottleLimit ?? Environment.ProcessorCount, _log, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            scratch.Remove(_log);
        }
    }

    private async Task<Attempt> AttemptAsync(DatabaseChoice? choice, Action<PgBackupException> onObjectError, CancellationToken cancellationToken)
    {
        long? expected = choice is null ? null : _survey.BytesOf(choice);
        RequireSpace(expected);
        ScratchFolder scratch = ScratchFolder.Create(_workPath, _owner);
        try
        {
            _step = Stopwatch.StartNew();
            var beside = new BesideRestore(_repository, Plan, scratch, _owner, _options.ThrottleLimit ?? Environment.ProcessorCount, _log, _progress);
            (FetchResult fetched, RestorePlan placed, ControlFile control) = await beside.RunAsync(choice, expected, _options.RestoreCommand(scratch.Path), cancellationToken).ConfigureAwait(false);
            Step("Files");
            string dump = _options.Destination ?? Path.Combine(scratch.Path, "tables.dump");
            Attempt attempt;
            IReadOnlyList<FoundTable> tables;
            var server = new BesideServer(_programs, placed, scratch, _log, _progress);
            await using (server.ConfigureAwait(false))
                (attempt, tables) = await TakeAsync(server, choice, control, fetched, dump, cancellationToken).ConfigureAwait(false);
            if (attempt.Result is null || _options.Load is null)
                return attempt;
            scratch.RemoveCluster();
            return attempt with { Result = attempt.Result with { Load = await LoadAsync(_options.Load, dump, scratch.Path, tables, onObjectError, cancellationToken).ConfigureAwait(false) } };
        }
        finally
        {
            scratch.Remove(_log);
        }
    }

    private async Task<DatabaseRestoreResult> LoadAsync(
        LoadOptions options, string dump, string scratch, IReadOnlyList<FoundTable> tables, Action<PgBackupException> onObjectError, CancellationToken cancellationToken)
    {
        DumpSource source = await DumpSource.FromPathAsync(dump, cancellationToken).ConfigureAwait(false);
        await using (source.ConfigureAwait(false))
        {
            // With the tables' names it is enough that none of them is in the target.
            LoadOptions all = options with { TargetDatabase = options.TargetDatabase ?? _options.Database, Tables = [.. tables.Select(static t => t.Quoted)], ScratchFolder = scratch };
            DatabaseRestoreResult result = await DatabaseLoad.RunAsync(source, all, _log, _progress, onObjectError, cancellationToken).ConfigureAwait(false);
            Step("Load");
            return result with { Source = $"{string.Join(", ", tables)} of {_options.Database}" };
        }
    }

    private async Task<(Attempt Attempt, IReadOnlyList<FoundTable> Tables)> TakeAsync(
        BesideServer server, DatabaseChoice? choice, ControlFile control, FetchResult fetched, string dump, CancellationToken cancellationToken)
    {
        RecoveryOutcome outcome = await server.RecoverAsync(control, _options.Timeout, cancellationToken).ConfigureAwait(false);
        if (await InvalidPages.FindAsync(server.LogPath, choice, cancellationToken).ConfigureAwait(false) is { } complaint)
            throw PgErrors.ReplayedPagesMissing(Plan.Name, _options.Database, complaint);
        Step("Recovery");
        await server.ChooseRoleAsync(cancellationToken).ConfigureAwait(false);
        uint oid = await DatabaseAsync(server, cancellationToken).ConfigureAwait(false);
        if (choice is not null && oid != choice.Database)
            return (new Attempt(null, oid), []);
        IReadOnlyList<FoundTable> tables;
        ServerSession session = await ServerSession.OpenAsync(server.Connection, _options.Database, cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
            tables = await TableFinder.FindAsync(session, _names, _options.Database, Plan.Target.ToString(), cancellationToken).ConfigureAwait(false);
        DumpFileResult dumped = await DatabaseDumpJob.RunToFileAsync(DumpOptions(server, tables, dump), dump, _options.Overwrite, _log, _progress, cancellationToken).ConfigureAwait(false);
        Step("Dump");
        return (new Attempt(Describe(choice, fetched, outcome, tables, dumped.Size), oid), tables);
    }

    private DumpOptions DumpOptions(BesideServer server, IReadOnlyList<FoundTable> tables, string dump) => new()
    {
        // Names on a command line are UTF-8, and would be read in the database's own encoding.
        Server = tables.All(static t => Ascii.IsValid(t.Quoted)) ? server.Connection : server.Connection with { ConnectionString = "Options=-c client_encoding=UTF8" },
        Database = _options.Database,
        Tables = [.. tables.Select(static t => t.Quoted)],
        Format = IsPlain(dump) ? DumpFormat.Plain : DumpFormat.Custom,
        ThrottleLimit = _options.ThrottleLimit,
    };

    private static bool IsPlain(string path) => s_plain.Any(ending => path.EndsWith(ending, StringComparison.OrdinalIgnoreCase));

    private async Task<uint> DatabaseAsync(BesideServer server, CancellationToken cancellationToken)
    {
        ServerSession session = await ServerSession.OpenAsync(server.Connection, "template1", cancellationToken).ConfigureAwait(false);
        await using (session.ConfigureAwait(false))
        {
            List<(string Name, uint Oid)> databases = await session.QueryAsync(
                "SELECT datname, oid::int8 FROM pg_catalog.pg_database ORDER BY 1", static row => (row.GetString(0), (uint)row.GetInt64(1)), cancellationToken).ConfigureAwait(false);
            return databases.Find(d => d.Name == _options.Database) is { Oid: > 0 } found
                ? found.Oid
                : throw PgErrors.DatabaseNotAtTarget(_options.Database, Plan.Target.ToString(), [.. databases.Select(static d => d.Name)]);
        }
    }

    private TableExtractionResult Describe(DatabaseChoice? choice, FetchResult fetched, RecoveryOutcome outcome, IReadOnlyList<FoundTable> tables, ByteSize size) => new()
    {
        Name = Plan.Name,
        Target = Plan.Target,
        ReachedLsn = Plan.ReachedLsn,
        ReachedTime = outcome.Log.LastTransaction ?? Plan.ReachedTime,
        Database = _options.Database,
        Tables = [.. tables.Select(static t => t.ToString())],
        Destination = _options.Destination,
        Size = size,
        RestoredSize = new ByteSize(fetched.Bytes),
        ClusterSize = Plan.Backup.DataSize,
        IsWholeCluster = choice is null,
        WalSegmentCount = Plan.SegmentCount,
        StartTime = _startTime,
        Duration = _watch.Elapsed,
        Phases = _phases,
        Repository = _repository.Location,
    };

    // Replay writes about as much as there is log; of databases that were left out, too.
    private void RequireSpace(long? files)
    {
        long log = (long)Plan.SegmentCount * Plan.SegmentSize.Bytes;
        long cluster = (Plan.Backup.DataSize ?? Plan.Backup.UncompressedSize ?? new ByteSize(0)).Bytes;
        long needed = (files ?? cluster) + log + BesideSettings.WalSpace(log);
        long free = new DriveInfo(RealPath.Of(_workPath)).AvailableFreeSpace;
        if (free < needed)
            throw PgErrors.ExtractionSpaceMissing(_workPath, needed, free);
    }

    private void Step(string name)
    {
        _phases.Add(new RestorePhase(name, _step.Elapsed));
        _step = Stopwatch.StartNew();
    }

    private void Warn(string message)
    {
        _log.Warning(message);
        _warnings.Add(message);
    }

    /// <summary>What one attempt came to: a result, or the database that has the name instead.</summary>
    private sealed record Attempt(TableExtractionResult? Result, uint Database);
}
