using System.Diagnostics;
using PgBackup.Backup.Deltas;
using PgBackup.Backup.Packing;
using PgBackup.Backup.Publishing;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup;

/// <summary>
/// A base backup of a running cluster, full or delta. Prepared first, so that a caller can ask before anything is written; then run once.
/// A backup exists when its sentinel does, which is the last thing written; whatever ends the run before that leaves no listed backup, and no
/// backup session in the server.
/// </summary>
public sealed class ClusterBackupJob : IAsyncDisposable
{
    private static readonly TimeSpan s_cleanUpLimit = TimeSpan.FromMinutes(1);

    private readonly BackupRepository _repository;
    private readonly BackupOptions _options;
    private IClusterSource _source;
    private readonly IOperationLog _log;
    private readonly IProgress<OperationProgress> _progress;

    private ClusterBackupJob(
        BackupRepository repository, BackupOptions options, IClusterSource source, ParentChoice choice, IOperationLog log, IProgress<OperationProgress> progress)
    {
        _repository = repository;
        _options = options;
        _source = source;
        Choice = choice;
        _log = log;
        _progress = progress;
    }

    /// <summary>The cluster that will be backed up.</summary>
    public BackupTarget Target => _source.Target;

    /// <summary>Full or delta.</summary>
    public BackupType Type => Choice.Parent is null ? BackupType.Full : BackupType.Delta;

    /// <summary>Why it will be of this type, where that was not asked for outright; null otherwise.</summary>
    public string? Reason => Choice.Reason;

    /// <summary>What will be done, for people.</summary>
    public string Description =>
        (Choice.Parent is { } parent ? $"Delta base backup on {parent.Name}" : "Full base backup") + (Reason is null ? "" : $" ({Reason})");

    private ParentChoice Choice { get; set; }

    /// <summary>
    /// Proves the key, connects, takes the lock in the server, runs the checks, and chooses the parent; writes nothing. Throws what <see cref="Postgres.Server.ServerSession"/> throws, what
    /// <see cref="RepositoryEncryption.ProveForWritingAsync"/> throws, what <see cref="ParentChooser"/> throws, and
    /// <c>BackupInProgress</c>, <c>InsufficientPrivilege</c>, <c>ArchivingNotEnabled</c>, <c>ArchivingFails</c>,
    /// <c>DataDirectoryNotFound</c>, <c>DataDirectoryOfAnotherCluster</c>.
    /// </summary>
    public static async Task<ClusterBackupJob> PrepareAsync(
        BackupRepository repository,
        BackupOptions options,
        IOperationLog? log = null,
        IProgress<OperationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        log ??= OperationLog.None;
        progress ??= NoProgress.Instance;
        Task proving = RepositoryEncryption.ProveForWritingAsync(repository, cancellationToken);
        IClusterSource source;
        try
        {
            source = await ClusterSources.OpenAsync(repository, options, log, progress, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await proving.ConfigureAwait(false); // Of two failures that of the key is told.
            throw;
        }
        try
        {
            await proving.ConfigureAwait(false);
            if (repository.Key?.Warning is { } warning)
                log.Warning(warning);
            ParentChoice choice = await ParentChooser.ChooseAsync(repository, options, source, log, cancellationToken).ConfigureAwait(false);
            return new ClusterBackupJob(repository, options, source, choice, log, progress);
        }
        catch
        {
            await source.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Takes the backup. Throws <c>ClusterIdentityMismatch</c>, <c>BackupInProgress</c>, <c>BackupNameTaken</c>, <c>DataFileUnreadable</c>,
    /// <c>StorageWriteFailed</c>, <c>WalNotArchived</c>, <c>TimelineChanged</c>, <c>StandbyPromoted</c>, <c>StandbyBetweenTimelines</c>, <c>FullPageWritesOff</c>, <c>LeaseLost</c>, <c>ParentGone</c>.
    /// </summary>
    public async Task<BackupResult> RunAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            return await RunOnceAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "DatabaseMadeAnew" && _options.Type == BackupTypeRequest.Auto)
        {
            _log.Warning($"{error.Message} A full backup is taken instead.");
            Choice = new ParentChoice(null, error.Message.TrimEnd('.'));
            _source = await ClusterSources.OpenAsync(_repository, _options, _log, _progress, cancellationToken).ConfigureAwait(false);
            return await RunOnceAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Closes the session with the server.</summary>
    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private async Task<BackupResult> RunOnceAsync(CancellationToken cancellationToken)
    {
        await RepositoryAdmission.RequireAsync(_repository, BackupChecks.IdentityOf(Target), _options.NewLineage, cancellationToken).ConfigureAwait(false);
        BackupLease lease = await BackupLease.AcquireAsync(_repository, Type == BackupType.Full ? "a full backup" : "a delta backup", cancellationToken).ConfigureAwait(false);
        await using (lease.ConfigureAwait(false))
        {
            BackupName? name = null;
            try
            {
                await BackupFolder.ClearAfterAsync(_repository, lease.Predecessor, _log, cancellationToken).ConfigureAwait(false);
                _progress.Report(new OperationProgress("Backing up the cluster", Target.IsStandby ? "Waiting for a restartpoint of the standby" : "Waiting for a checkpoint", 0, null));
                BackupStart start = await _source.StartAsync(cancellationToken).ConfigureAwait(false);
                if (Choice.Parent?.FaultAt(start) is { } fault)
                {
                    Choice = _options.Type == BackupTypeRequest.Auto
                        ? new ParentChoice(null, $"no delta can rest on '{Choice.Parent.Name}': {fault}")
                        : throw PgErrors.ParentNotUsable(Choice.Parent.Name.Text, fault + ".");
                }
                DeltaParent? parent = Choice.Parent;
                BackupName started = parent is null ? BackupName.Full(start.Segment) : BackupName.Delta(start.Segment, parent.Name.Segment);
                Task renaming = lease.RenameAsync(started.Text, cancellationToken);
                try
                {
                    await BackupChecks.RequireNameFreeAsync(_repository, started, Target.IsStandby, cancellationToken).ConfigureAwait(false);
                    name = started; // From here on what lies under this name is ours to clear away.
                    _log.Information($"Backup {started} of the cluster {Target.Traits.SystemIdentifier} began at {start.Lsn}.");
                    if (await BackupFolder.ClearAsync(_repository, started, cancellationToken).ConfigureAwait(false) is > 0 and int leftovers)
                        _log.Verbose($"{leftovers} objects of an earlier run under this name were removed.");
                }
                finally
                {
                    await renaming.ConfigureAwait(false);
                }
                return await CopyAndPublishAsync(lease, started, start, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                await _source.DisposeAsync().ConfigureAwait(false); // The server gives the backup up with its session.
                if (name is not null)
                    await WithdrawAsync(lease, name, error).ConfigureAwait(false);
                throw;
            }
        }
    }

    private async Task<BackupResult> CopyAndPublishAsync(BackupLease lease, BackupName name, BackupStart start, CancellationToken cancellationToken)
    {
        using var collector = new FileListCollector();
        using PartEncoder encoder = PartEncoder.Create(_repository.Compression, _repository.CompressionLevel);
        BackupStop stop;
        long uncompressed, stored;
        bool hasConfiguration;
        Stopwatch sinceStop;
        var parts = new PartWriter(_repository, name, encoder, collector);
        await using (parts.ConfigureAwait(false))
        {
            await _source.CopyAsync(new BackupCopy(name, start, parts, Choice.Parent), cancellationToken).ConfigureAwait(false);
            stop = await _source.StopAsync(cancellationToken).ConfigureAwait(false);
            sinceStop = Stopwatch.StartNew();
            await parts.WriteLabelsAsync(stop.Label, stop.TablespaceMap, cancellationToken).ConfigureAwait(false);
            (uncompressed, stored) = (parts.UncompressedBytes, parts.StoredBytes);
            // While the last parts become durable and the server archives its WAL.
            hasConfiguration = await WriteListsAsync(name, collector, cancellationToken).ConfigureAwait(false);
            await parts.FlushAsync().ConfigureAwait(false);
        }

        foreach (CorruptFile file in collector.CorruptFiles)
            _log.Warning($"Damaged pages were found and stored as they are: {file}. Check the disk, and compare with an older backup.");
        int segments = await WalProof.RequireAsync(
            _repository, name, start.Lsn, stop.FinishLsn, Target.Traits.WalSegmentSize, _options.ArchiveTimeout, _source.ArchiverComplaintAsync, _log, _progress, cancellationToken).ConfigureAwait(false);
        TimeSpan waited = sinceStop.Elapsed;

        var facts = new BackupFacts(
            name, start, stop, stop.FinishTime + waited, Target, Choice.Parent, uncompressed, stored,
            _source.DataBytes, collector.CorruptFiles.Sum(f => (long)f.Blocks.Count), TablespaceMap.Parse(stop.TablespaceMap));
        await PublishAsync(lease, facts, hasConfiguration, cancellationToken).ConfigureAwait(false);
        _log.Information($"Backup {name} is complete: {new ByteSize(stored)} from {start.Lsn} to {stop.FinishLsn}.");
        return Result(facts, collector, segments, waited);
    }

    /// <summary>Writes what lists the files, and the configuration from outside; false when there is none of that.</summary>
    private async Task<bool> WriteListsAsync(BackupName name, FileListCollector collector, CancellationToken cancellationToken)
    {
        // Side by side: none of them makes the backup exist, and each costs a store at a distance some round trips.
        Task files = collector.WriteFilesMetadataAsync(
            _repository,
            name,
            // Names of tables do not go into plain JSON when the repository is encrypted.
            _repository.Key is null
                ? writer => DatabaseNames.WriteAsync(writer, _source.Server, _options.Server, _log, cancellationToken)
                : writer =>
                {
                    writer.WriteStartObject();
                    writer.WriteEndObject();
                    return Task.CompletedTask;
                },
            cancellationToken);
        Task index = collector.WriteIndexAsync(_repository, name, cancellationToken);
        Task<bool> configuration = ConfigurationKeeper.KeepAsync(_repository, name, Target, _log, cancellationToken);
        await Task.WhenAll(files, index, configuration).ConfigureAwait(false);
        return await configuration.ConfigureAwait(false);
    }

    private async Task PublishAsync(BackupLease lease, BackupFacts facts, bool hasConfiguration, CancellationToken cancellationToken)
    {
        if (facts.Parent is { } parent)
            await parent.RequireThereAsync(_repository, markPermanent: _options.IsPermanent, cancellationToken).ConfigureAwait(false);
        await Task.WhenAll(
            BackupDocuments.WriteMetadataAsync(_repository, facts.Name, BackupDescription.Metadata(facts, _options), cancellationToken),
            lease.RequireHeldAsync(cancellationToken)).ConfigureAwait(false);
        BackupSentinel sentinel = BackupDescription.Sentinel(facts, _options, _repository, hasConfiguration);
        await BackupDocuments.WriteSentinelAsync(_repository, facts.Name, sentinel, cancellationToken).ConfigureAwait(false);
        try
        {
            // Whoever took the lease before the sentinel was there has cleared our parts away; whoever takes it from here on sees the sentinel.
            await lease.RequireHeldAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "LeaseLost")
        {
            await _repository.Store.DeleteAsync([RepositoryLayout.SentinelKey(facts.Name)], CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Removes what a failed run wrote. What cannot be removed is told, and cleared by the next run under this name; it is never listed as a backup.</summary>
    private async Task WithdrawAsync(BackupLease lease, BackupName name, Exception cause)
    {
        if (cause is PgBackupException { Id: "ObjectExists" })
            return; // Somebody has published a backup of this name beside us: what lies there is no longer ours.
        using var limit = new CancellationTokenSource(s_cleanUpLimit);
        try
        {
            // Without the lease another run may be writing under this name.
            await lease.RequireHeldAsync(limit.Token).ConfigureAwait(false);
            // First the sentinel, which may be there although its writing was reported as failed.
            await _repository.Store.DeleteAsync([RepositoryLayout.SentinelKey(name)], limit.Token).ConfigureAwait(false);
            await BackupFolder.ClearAsync(_repository, name, limit.Token).ConfigureAwait(false);
            // A put that was given up may have reached the store meanwhile: without its parts that is no backup.
            await _repository.Store.DeleteAsync([RepositoryLayout.SentinelKey(name)], limit.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (error is PgBackupException or OperationCanceledException)
        {
            _log.Warning($"What the unfinished backup {name} wrote could not be removed: {error.Message} It is not listed as a backup.");
        }
    }

    private BackupResult Result(BackupFacts facts, FileListCollector collector, int segments, TimeSpan waited) => new()
    {
        Name = facts.Name.Text,
        Type = Type,
        Parent = facts.Parent?.Name.Text,
        Reason = Reason,
        StartTime = facts.Start.Time,
        FinishTime = facts.FinishTime,
        StartLsn = facts.Start.Lsn,
        FinishLsn = facts.Stop.FinishLsn,
        Timeline = facts.Name.Segment.Timeline,
        Size = facts.StoredBytes,
        UncompressedSize = facts.UncompressedBytes,
        FileCount = collector.FileCount,
        SkippedFileCount = collector.SkippedFileCount,
        IncrementCount = collector.IncrementCount,
        CorruptFiles = collector.CorruptFiles,
        ChecksumsVerified = Target.Traits.HasDataChecksums,
        WalSegmentCount = segments,
        ArchiveWait = waited,
        SystemIdentifier = Target.Traits.SystemIdentifier,
        ServerVersion = Target.ServerVersion,
        IsPermanent = _options.IsPermanent,
        Repository = _repository.Location,
    };
}
