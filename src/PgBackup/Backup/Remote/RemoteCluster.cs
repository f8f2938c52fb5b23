using System.Text;
using PgBackup.Backup.Packing;
using PgBackup.Backup.Reading;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Replication;
using PgBackup.Postgres.Server;
using PgBackup.Repository;

namespace PgBackup.Backup.Remote;

/// <summary>
/// A cluster at a distance: the server sends its files by BASE_BACKUP over one connection, and answers questions over another. Nothing of what it sent is published
/// before it was held against the server's manifest.
/// </summary>
internal sealed class RemoteCluster : IClusterSource
{
    private readonly BackupRepository _repository;
    private readonly BackupOptions _options;
    private readonly BackupSession _session;
    private readonly ReplicationConnection _replication;
    private readonly IOperationLog _log;
    private readonly IProgress<OperationProgress> _progress;
    private BaseBackupStream? _backup;
    private ReceivedCluster? _received;

    private RemoteCluster(
        BackupRepository repository, BackupOptions options, BackupSession session, ReplicationConnection replication, BackupTarget target, IOperationLog log, IProgress<OperationProgress> progress)
    {
        _repository = repository;
        _options = options;
        _session = session;
        _replication = replication;
        Target = target;
        _log = log;
        _progress = progress;
    }

    public BackupTarget Target { get; }

    public ServerSession Server => _session.Server;

    public long DataBytes => _received?.Bytes ?? 0;

    /// <summary>Opens the replication connection and runs the checks. Throws what <see cref="ReplicationConnection.OpenBesideAsync"/> and <see cref="RemoteChecks.RunAsync"/> throw.</summary>
    public static async Task<RemoteCluster> OpenAsync(
        BackupRepository repository, BackupOptions options, BackupSession session, IOperationLog log, IProgress<OperationProgress> progress, CancellationToken cancellationToken)
    {
        ReplicationConnection replication = await ReplicationConnection.OpenBesideAsync(session.Server, options.Server, log, cancellationToken).ConfigureAwait(false);
        try
        {
            BackupTarget target = await RemoteChecks.RunAsync(session.Server, replication, cancellationToken).ConfigureAwait(false);
            if (target.DataDirectory.Length == 0)
                log.Warning("The role may not see where the server's data directory is; wal-g needs a --restore-spec to restore tablespaces from this backup. GRANT pg_read_all_settings lets it see.");
            log.Verbose("Configuration files outside the data directory cannot be had at a distance; they are not kept beside this backup.");
            return new RemoteCluster(repository, options, session, replication, target, log, progress);
        }
        catch
        {
            await replication.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async Task<TimelineHistory?> ReadHistoryAsync(CancellationToken cancellationToken)
    {
        return await _replication.ReadTimelineHistoryAsync(Target.Timeline, cancellationToken).ConfigureAwait(false) is { } text
            ? TimelineHistory.Parse(Target.Timeline, text)
            : null;
    }

    public async Task<BackupStart> StartAsync(CancellationToken cancellationToken)
    {
        DateTimeOffset time = await ServerTimeAsync(cancellationToken).ConfigureAwait(false);
        if (Target.IsStandby)
            _session.BeginsOnStandby();
        var request = new BaseBackupRequest
        {
            Label = _options.Label,
            FastCheckpoint = !_options.SpreadCheckpoint,
            MaxRate = _options.RateLimit,
            Compressions = ServerPlace.IsLoopback(_options.Server.ToBuilder(null).Host) ? [] : [CompressionMethod.Zstd, CompressionMethod.Lz4],
        };
        try
        {
            _backup = await _replication.StartBaseBackupAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (IsStandbyRefusal(error))
        {
            throw await StandbyChecks.OfRefusalAsync(Server, error, cancellationToken).ConfigureAwait(false);
        }
        _log.Verbose($"The server sends {_backup.Tablespaces.Count} archives, " + (_backup.Compression == CompressionMethod.None ? "not compressed." : $"compressed with {_backup.Compression}."));
        return new BackupStart(_backup.StartLsn, time, WalSegmentName.Containing(_backup.Timeline, _backup.StartLsn, Target.Traits.WalSegmentSize));
    }

    public async Task CopyAsync(BackupCopy copy, CancellationToken cancellationToken)
    {
        try
        {
            await ReceiveAsync(copy, cancellationToken).ConfigureAwait(false);
        }
        catch (InvalidDataException error)
        {
            throw PgErrors.RemoteBackupDamaged(Server.Server, error.Message, error);
        }
        catch (PgBackupException error) when (error.Id == "ObjectDamaged") // What the server compressed.
        {
            throw PgErrors.RemoteBackupDamaged(Server.Server, error.Message, error);
        }
        catch (PgBackupException error) when (IsStandbyRefusal(error))
        {
            throw await StandbyChecks.OfRefusalAsync(Server, error, cancellationToken).ConfigureAwait(false);
        }
        RequireWhole(copy);
        await copy.Parts.WriteControlFileAsync(_received!.ControlFile, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The server ended the backup by itself before it sent the manifest.</summary>
    public async Task<BackupStop> StopAsync(CancellationToken cancellationToken) => new(
        _backup!.End!.Lsn,
        Encoding.UTF8.GetString(_received!.Label!),
        Encoding.UTF8.GetString(_received.TablespaceMap),
        await ServerTimeAsync(cancellationToken).ConfigureAwait(false));

    public Task<string?> ArchiverComplaintAsync(CancellationToken cancellationToken) => _session.ArchiverComplaintAsync(Target.IsStandby, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _replication.DisposeAsync().ConfigureAwait(false); // The server gives up a backup that it is sending.
        await _session.DisposeAsync().ConfigureAwait(false);
    }

    private async Task ReceiveAsync(BackupCopy copy, CancellationToken cancellationToken)
    {
        PageInspector? inspector = await PageInspector.TryCreateAsync(Target, copy.Start, _session, cancellationToken).ConfigureAwait(false);
        long? total = _backup!.Tablespaces.Sum(static t => t.Size);
        using var cutter = new FrameCutter(FramePlanner.PartSizeOf(_repository));
        RemoteSelection? selection = await RemoteSelection.PrepareAsync(copy.Parent, copy.Start, Target, _session, _log, cancellationToken).ConfigureAwait(false);
        using var packer = new ReceivedPacker(cutter, inspector, selection, (long)Target.Traits.BlocksPerSegment * Target.Traits.BlockSize, !Target.Traits.HasDataChecksums);
        _received = new ReceivedCluster(_backup, cutter, packer, _log);
        long done = 0;
        await SessionWatch.RunAsync(
            _session,
            watched => PackingPipeline.RunAsync(
                _received.ReadAsync(watched),
                (job, token) => FillAsync((ReceivedFrame)job, copy.Parts.Encoder, cutter, inspector, token),
                async (job, token) =>
                {
                    await copy.Parts.AppendAsync(job, token).ConfigureAwait(false);
                    done += job.SettledBytes;
                    _progress.Report(new OperationProgress($"Backing up {copy.Name}", "Receiving the data directory", done, total is { } all ? Math.Max(all, done) : null));
                },
                _options.ThrottleLimit ?? Environment.ProcessorCount,
                watched),
            cancellationToken).ConfigureAwait(false);
    }

    private static async Task FillAsync(ReceivedFrame frame, PartEncoder encoder, FrameCutter cutter, PageInspector? inspector, CancellationToken cancellationToken)
    {
        foreach (ReceivedPages pages in frame.Pages)
        {
            Memory<byte> content = frame.Plain!.Slice(pages.Offset, pages.Length);
            if (inspector is not null)
                await inspector.InspectReceivedAsync(content, pages.FileOffset, pages.Relation, pages.Notes.Corrupt, cancellationToken).ConfigureAwait(false);
            if (pages.Relation is { Kind: DataFileKind.Relation, Fork: RelationFork.Main })
                pages.Notes.Note(content.Span, pages.FileOffset);
        }
        frame.Encode(encoder, cutter.Pool);
    }

    /// <summary>Holds what is no file's content against what the server said: where the backup began and ended, and which cluster it is of.</summary>
    private void RequireWhole(BackupCopy copy)
    {
        BaseBackupEnd end = _backup!.End!;
        TimelineId timeline = copy.Start.Segment.Timeline;
        if (end.Timeline != timeline)
            throw PgErrors.TimelineChanged(copy.Name.Text, timeline, end.Timeline);
        if (_received!.Wal is not [var wal] || wal != new ManifestWal(timeline, copy.Start.Lsn, end.Lsn))
            throw PgErrors.RemoteBackupDamaged(Server.Server, "its manifest names other WAL than the backup's");
        if (_received.Label is null || _received.ControlFile is null)
            throw PgErrors.RemoteBackupDamaged(Server.Server, "its control file or its label did not come");
        ControlFile control = ControlFile.Parse(_received.ControlFile, ControlFile.RelativePath);
        if (Postgres.ClusterTraits.Of(control) != Target.Traits)
            throw PgErrors.RemoteBackupDamaged(Server.Server, "its control file is another cluster's");
        StandbyChecks.RequireTimeline(Target, control, copy.Start, copy.Name.Text);
        BackupLabel label = BackupLabel.Parse(Encoding.UTF8.GetString(_received.Label));
        if (label.FromStandby != Target.IsStandby)
            throw Target.IsStandby ? PgErrors.StandbyPromoted(Server.Server) : PgErrors.ServersDiffer(Server.Server);
        if (Target.IsStandby)
            StandbyChecks.RequireLabel(label, copy.Start, copy.Name.Text);
    }

    private bool IsStandbyRefusal(PgBackupException error) => Target.IsStandby && error.InnerException is ServerReportException { Report.SqlState: StandbyChecks.Refusal };

    private async Task<DateTimeOffset> ServerTimeAsync(CancellationToken cancellationToken) =>
        new(await Server.ScalarAsync<DateTime>("SELECT clock_timestamp()", cancellationToken).ConfigureAwait(false));
}
