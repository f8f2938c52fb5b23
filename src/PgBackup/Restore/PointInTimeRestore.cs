using System.Diagnostics;
using System.Globalization;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Restore.Fetching;
using PgBackup.Restore.Planning;
using PgBackup.Restore.Starting;

namespace PgBackup.Restore;

/// <summary>
/// Brings a cluster back to a chosen point. Planned and proven first, so that a caller can ask before anything is written; then run once. Whatever ends the run before its
/// files are complete leaves a destination that cannot be started, and that the next run clears with -Force.
/// </summary>
public sealed class PointInTimeRestore
{
    private readonly BackupRepository _repository;
    private readonly RestoreOptions _options;
    private readonly IProgress<OperationProgress> _progress;
    private readonly IOperationLog _log;
    private readonly List<RestorePhase> _phases = [];
    private readonly List<string> _warnings = [];
    private readonly DateTimeOffset _startTime = DateTimeOffset.UtcNow;
    private readonly Stopwatch _watch = Stopwatch.StartNew();

    private PointInTimeRestore(BackupRepository repository, RestoreOptions options, RestorePlan plan, IOperationLog log, IProgress<OperationProgress> progress)
    {
        _repository = repository;
        _options = options;
        _log = log;
        _progress = progress;
        Plan = plan;
        _warnings.AddRange(plan.Warnings);
    }

    /// <summary>The plan, proven.</summary>
    public RestorePlan Plan { get; }

    private bool InPlace => _options.Request.StopServer;

    private bool IsDelta => _options.Request.Delta;

    private string DataDirectory => Plan.DataDirectory!;

    /// <summary>Plans; writes nothing. Throws what <see cref="RestorePlanner.PlanAsync"/> throws.</summary>
    public static async Task<PointInTimeRestore> PrepareAsync(
        BackupRepository repository, RestoreOptions options, IOperationLog? log = null, IProgress<OperationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options.Request.DataDirectory);
        log ??= OperationLog.None;
        progress ??= NoProgress.Instance;
        Stopwatch watch = Stopwatch.StartNew();
        RestorePlan plan = await RestorePlanner.PlanAsync(repository, options.Request, progress, log, cancellationToken).ConfigureAwait(false);
        var restore = new PointInTimeRestore(repository, options, plan, log, progress);
        restore._phases.Add(new RestorePhase("Plan", watch.Elapsed));
        return restore;
    }

    /// <summary>
    /// Restores. Throws <c>BackupDamaged</c>, <c>MemberNameInvalid</c>, <c>RestoreWriteFailed</c>, <c>OwnerInvalid</c>, <c>ToolMissing</c>, <c>ServerStopFailed</c>, <c>WalNotArchived</c>,
    /// <c>RecoveryFailed</c>, <c>OperationTimeout</c>.
    /// </summary>
    public async Task<RestoreResult> RunAsync(CancellationToken cancellationToken = default)
    {
        FileOwner? owner = FileOwner.Choose(_options.Owner, DataDirectory, Plan.Backup.DataDirectory);
        bool starts = _options.Start || InPlace;
        // Found before anything is touched: a restore that cannot start its server should not stop another.
        ServerPrograms? programs = starts ? await ServerPrograms.FindAsync(Plan.Backup.ServerVersion?.Major, owner, cancellationToken).ConfigureAwait(false) : null;
        _log.Information($"Restoring '{Plan.Name}' to {Plan.Target} in '{DataDirectory}'.");

        IReadOnlyList<string> serverOptions = InPlace ? DestinationClearing.ServerOptions(DataDirectory) : [];
        bool keepsFiles = IsDelta && HasContent(DataDirectory);
        string? aside = keepsFiles
            ? await PrepareInPlaceAsync(programs, cancellationToken).ConfigureAwait(false)
            : await MakeRoomAsync(programs).ConfigureAwait(false);
        int? port = starts && !InPlace ? _options.Port ?? StartSettings.FreePort() : null;
        (FetchResult fetched, ControlFile control) = await RestoreFilesAsync(owner, keepsFiles, programs, port, serverOptions, cancellationToken).ConfigureAwait(false);
        RestoreResult result = Describe(fetched, aside) with { Port = port };
        if (programs is not null)
            result = await StartAsync(result, programs, control, serverOptions, cancellationToken).ConfigureAwait(false);
        _log.Information($"'{Plan.Name}' is restored in '{DataDirectory}': {result.Status}.");
        return result with { Duration = _watch.Elapsed, Phases = [.. _phases], Warnings = [.. _warnings] };
    }

    private static bool HasContent(string folder) => Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any();

    /// <summary>Nothing is set aside: the files that are there are what is worked with.</summary>
    private async Task<string?> PrepareInPlaceAsync(ServerPrograms? programs, CancellationToken cancellationToken)
    {
        Stopwatch watch = Stopwatch.StartNew();
        if (InPlace)
            await DestinationClearing.StopServerAsync(programs!, DataDirectory, _log).ConfigureAwait(false);
        // Once more: a server may have been started since the plan was made.
        if (RunningServers.On(DataDirectory) is { } process)
            throw PgErrors.DestinationInUse(DataDirectory, process);
        RunningServers.RequireNotTheirs(DataDirectory, Plan.Tablespaces);
        if (!_options.Request.Force)
            await UnarchivedWal.RequireNoneAsync(_repository, DataDirectory, cancellationToken).ConfigureAwait(false);
        _phases.Add(new RestorePhase(InPlace ? "Stop" : "Check", watch.Elapsed));
        return null;
    }

    private async Task<string?> MakeRoomAsync(ServerPrograms? programs)
    {
        if (!HasContent(DataDirectory))
            return null;
        Stopwatch watch = Stopwatch.StartNew();
        string? aside = null;
        RunningServers.RequireNotTheirs(DataDirectory, Plan.Tablespaces);
        if (InPlace)
        {
            await DestinationClearing.StopServerAsync(programs!, DataDirectory, _log).ConfigureAwait(false);
            aside = DestinationClearing.SetAside(DataDirectory, Plan.Tablespaces, _startTime);
            _log.Information($"The old data directory is now '{aside}'.");
        }
        else
        {
            // Once more: a server may have been started since the plan was made.
            if (RunningServers.On(DataDirectory) is { } process)
                throw PgErrors.DestinationInUse(DataDirectory, process);
            DestinationClearing.Clear(DataDirectory, Plan.Tablespaces);
        }
        _phases.Add(new RestorePhase(InPlace ? "Stop and set aside" : "Clear", watch.Elapsed));
        return aside;
    }

    private async Task<(FetchResult Fetched, ControlFile Control)> RestoreFilesAsync(
        FileOwner? owner, bool keepsFiles, ServerPrograms? programs, int? port, IReadOnlyList<string> serverOptions, CancellationToken cancellationToken)
    {
        using var destination = new RestoreDestination(DataDirectory, Plan.Tablespaces, owner is null ? null : (owner.User, owner.Group)) { InPlace = keepsFiles };
        string again = keepsFiles ? "-Delta, or anew with -Force" : "-Force";
        destination.Prepare($"A restore of {Plan.Name} began here at {_startTime:u}. While this file is here it is not complete: run it again with {again}.\n");
        Stopwatch watch = Stopwatch.StartNew();
        var progress = new FetchProgress("Restoring the cluster", (Plan.Backup.DataSize ?? Plan.Backup.UncompressedSize)?.Bytes, _progress, _log);
        var fetcher = new BackupFetcher(_repository, destination, _options.ThrottleLimit ?? Environment.ProcessorCount, progress, _log);
        BackupName[] chain = [.. Plan.Chain.Select(static n => BackupName.TryParse(n, out BackupName? name) ? name : throw new FormatException(n))];
        FetchResult fetched = await fetcher.FetchAsync(chain, cancellationToken).ConfigureAwait(false);
        _warnings.AddRange(fetched.Warnings);
        RecoveryFiles.CheckLabels(destination, _repository.Location, Plan.Backup);
        ControlFile control = ControlFile.Parse(
            await File.ReadAllBytesAsync(destination.PathOf(RestoreDestination.PendingControlFile), cancellationToken).ConfigureAwait(false), "global/pg_control");
        await WriteSettingsAsync(destination, programs, chain[^1], port, serverOptions, cancellationToken).ConfigureAwait(false);
        _phases.Add(new RestorePhase("Files", watch.Elapsed));
        watch.Restart();
        _progress.Report(new OperationProgress("Restoring the cluster", "Making the files durable", 0, null));
        destination.Complete(cancellationToken);
        _phases.Add(new RestorePhase("Sync", watch.Elapsed));
        return (fetched, control);
    }

    private async Task WriteSettingsAsync(
        RestoreDestination destination, ServerPrograms? programs, BackupName backup, int? port, IReadOnlyList<string> serverOptions, CancellationToken cancellationToken)
    {
        var settings = new Dictionary<string, string>(Plan.RecoverySettings, StringComparer.Ordinal);
        if (port is { } number)
        {
            foreach ((string name, string value) in StartSettings.Durable(DataDirectory, number, Plan.Backup.ServerVersion?.Major))
                settings[name] = value;
        }
        // In place a server goes on with its configuration, wherever that lies.
        bool hasOwn = serverOptions.Any(o => o.StartsWith("config_file=", StringComparison.Ordinal)) || File.Exists(destination.PathOf("postgresql.conf"));
        if (port is not null || (InPlace && !hasOwn))
        {
            Warn(await KeptConfigurationFiles.EnsureAsync(
                _repository, backup, Plan.Backup.DataDirectory, destination, cancellationToken).ConfigureAwait(false));
        }
        string comment = string.Create(
            CultureInfo.InvariantCulture, $"recovery of {Plan.Name} to {Plan.Target}, begun at {_startTime:u}; ALTER SYSTEM RESET takes a line back");
        RecoveryFiles.WriteSettings(destination, settings, comment);
        if (programs is null || port is null)
            return;
        var repairs = new List<string>();
        foreach ((string name, string value) in await new ServerStarter(programs, DataDirectory, _log).RepairsAsync(repairs, cancellationToken).ConfigureAwait(false))
            settings[name] = value;
        Warn(repairs);
        RecoveryFiles.WriteSettings(destination, settings, comment);
    }

    private void Warn(IReadOnlyList<string> warnings)
    {
        foreach (string warning in warnings)
            _log.Warning(warning);
        _warnings.AddRange(warnings);
    }

    private async Task<RestoreResult> StartAsync(
        RestoreResult result, ServerPrograms programs, ControlFile control, IReadOnlyList<string> serverOptions, CancellationToken cancellationToken)
    {
        var run = new RecoveryRun(new ServerStarter(programs, DataDirectory, _log), Plan, _log, _progress);
        List<string> options = [.. serverOptions, .. StartSettings.ForRecovery(Plan.TargetAction, InPlace)];
        Stopwatch watch = Stopwatch.StartNew();
        RecoveryOutcome outcome = await run.RunAsync(options, control, _options.Timeout, cancellationToken).ConfigureAwait(false);
        Warn(run.Warnings);
        _phases.Add(new RestorePhase("Recovery", watch.Elapsed));
        return result with
        {
            Status = outcome.Status,
            ReachedTime = outcome.Log.LastTransaction ?? result.ReachedTime,
            Timeline = outcome.Log.NewTimeline ?? result.Timeline,
            LogPath = run.LogPath,
        };
    }

    private RestoreResult Describe(FetchResult fetched, string? aside) => new()
    {
        Name = Plan.Name,
        Status = RestoreStatus.Restored,
        DataDirectory = DataDirectory,
        Target = Plan.Target,
        ReachedLsn = Plan.ReachedLsn,
        ReachedTime = Plan.ReachedTime,
        Timeline = Plan.Timeline,
        PreviousDataDirectory = aside,
        FileCount = fetched.Files,
        Size = fetched.Bytes,
        FetchedSize = fetched.Fetched,
        KeptSize = fetched.Kept,
        WalSegmentCount = Plan.SegmentCount,
        StartTime = _startTime,
        Duration = _watch.Elapsed,
        Phases = _phases,
        Repository = _repository.Location,
    };
}
