using PgBackup.Backup.Deltas;
using PgBackup.Backup.Packing;
using PgBackup.Backup.Reading;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Server;
using PgBackup.Repository;

namespace PgBackup.Backup.Local;

/// <summary>A cluster whose data directory is on this host: the server is told that a backup begins and ends, and its files are read meanwhile.</summary>
internal sealed class LocalCluster : IClusterSource
{
    private readonly BackupRepository _repository;
    private readonly BackupOptions _options;
    private readonly BackupSession _session;
    private readonly IOperationLog _log;
    private readonly IProgress<OperationProgress> _progress;
    private readonly CancellationTokenSource _disposed = new();
    private Task<long>? _size;
    private BackupStart? _start;
    private string? _name;

    private LocalCluster(
        BackupRepository repository, BackupOptions options, BackupSession session, BackupTarget target, IOperationLog log, IProgress<OperationProgress> progress)
    {
        _repository = repository;
        _options = options;
        _session = session;
        Target = target;
        _log = log;
        _progress = progress;
    }

    public BackupTarget Target { get; }

    public ServerSession Server => _session.Server;

    public long DataBytes { get; private set; }

    /// <summary>Runs the checks on an open session. Throws what <see cref="BackupChecks.RunAsync"/> throws.</summary>
    public static async Task<LocalCluster> OpenAsync(
        BackupRepository repository, BackupOptions options, BackupSession session, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken)
    {
        BackupTarget target = await BackupChecks.RunAsync(session.Server, options, cancellationToken).ConfigureAwait(false);
        return new LocalCluster(repository, options, session, target, log, progress);
    }

    public async Task<TimelineHistory?> ReadHistoryAsync(CancellationToken cancellationToken)
    {
        string file = Path.Combine(Target.DataDirectory, "pg_wal", Target.Timeline.HistoryFileName);
        try
        {
            return TimelineHistory.Parse(Target.Timeline, await File.ReadAllTextAsync(file, cancellationToken).ConfigureAwait(false));
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw PgErrors.DataFileUnreadable(file, error);
        }
    }

    public async Task<BackupStart> StartAsync(CancellationToken cancellationToken)
    {
        // Only for the progress: how much there is to do.
        _size = Task.Run(() => MeasureDataDirectory(_disposed.Token), CancellationToken.None);
        (Lsn lsn, DateTimeOffset time) = await _session.StartAsync(_options.Label, !_options.SpreadCheckpoint, cancellationToken).ConfigureAwait(false);
        ControlFile control = await ControlFile.ReadAsync(Target.DataDirectory, cancellationToken).ConfigureAwait(false);
        if (Target.IsStandby)
            StandbyChecks.RequireOneTimeline(Target.Server, control.Timeline, control.MinRecoveryPointTimeline);
        return new BackupStart(lsn, time, Target.IsStandby
            ? StandbyChecks.SegmentOf(lsn, control)
            : WalSegmentName.Containing(control.Timeline, lsn, control.WalSegmentSize));
    }

    public async Task CopyAsync(BackupCopy copy, CancellationToken cancellationToken)
    {
        await CopyDataDirectoryAsync(copy, cancellationToken).ConfigureAwait(false);
        DataBytes = await _size!.ConfigureAwait(false);
        // Read last, so that it knows of nothing that the copied files do not.
        ControlFile last = await ControlFile.ReadAsync(Target.DataDirectory, cancellationToken).ConfigureAwait(false);
        StandbyChecks.RequireTimeline(Target, last, copy.Start, copy.Name.Text);
        (_name, _start) = (copy.Name.Text, copy.Start);
        await copy.Parts.WriteControlFileAsync(last.Content, cancellationToken).ConfigureAwait(false);
    }

    public async Task<BackupStop> StopAsync(CancellationToken cancellationToken)
    {
        BackupStop stop = await _session.StopAsync(cancellationToken).ConfigureAwait(false);
        if (Target.IsStandby)
        {
            // The finish is what the control file said when the server ended the backup: it must lie on the timeline of the start.
            StandbyChecks.RequireTimeline(Target, await ControlFile.ReadAsync(Target.DataDirectory, cancellationToken).ConfigureAwait(false), _start!, _name!);
            StandbyChecks.RequireLabel(BackupLabel.Parse(stop.Label), _start!, _name!);
        }
        return stop;
    }

    public Task<string?> ArchiverComplaintAsync(CancellationToken cancellationToken) => _session.ArchiverComplaintAsync(Target.IsStandby, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_disposed.IsCancellationRequested)
            return;
        await _disposed.CancelAsync().ConfigureAwait(false);
        await _session.DisposeAsync().ConfigureAwait(false); // The server gives up a backup that was not stopped.
        if (_size is not null)
            await ((Task)_size).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _disposed.Dispose();
    }

    private async Task CopyDataDirectoryAsync(BackupCopy copy, CancellationToken cancellationToken)
    {
        PageInspector? inspector = await PageInspector.TryCreateAsync(Target, copy.Start, _session, cancellationToken).ConfigureAwait(false);
        var rate = new RateLimiter(_options.RateLimit);
        int workers = _options.ThrottleLimit ?? Environment.ProcessorCount;
        FileSelection selection = await FileSelection.PrepareAsync(
            copy.Parent, copy.Start, Target, _session, inspector, rate, workers, _log, _progress, cancellationToken).ConfigureAwait(false);
        bool notesVisible = !Target.Traits.HasDataChecksums;
        var planner = new FramePlanner(FramePlanner.PartSizeOf(_repository), notesVisible, _log);
        var filler = new FrameFiller(copy.Parts.Encoder, inspector, rate, notesVisible, _log);
        string status = copy.Parent is null ? "Copying the data directory" : "Copying what has changed";
        long done = 0;
        await SessionWatch.RunAsync(
            _session,
            watched => PackingPipeline.RunAsync(
                planner.PlanAsync(selection.SelectAsync(new DataDirectoryWalker(Target.DataDirectory, _log).Walk(), watched), watched),
                filler.FillAsync,
                async (job, token) =>
                {
                    await copy.Parts.AppendAsync(job, token).ConfigureAwait(false);
                    done += job.SettledBytes;
                    _progress.Report(new OperationProgress($"Backing up {copy.Name}", status, done, _size!.IsCompletedSuccessfully ? Math.Max(_size.Result, done) : null));
                },
                workers,
                watched),
            cancellationToken).ConfigureAwait(false);
    }

    private long MeasureDataDirectory(CancellationToken cancellationToken)
    {
        long total = 0;
        foreach (DataDirectoryEntry entry in new DataDirectoryWalker(Target.DataDirectory, OperationLog.None).Walk())
        {
            cancellationToken.ThrowIfCancellationRequested();
            total += entry.IsDirectory ? 0 : entry.Facts.Size;
        }
        return total;
    }
}
