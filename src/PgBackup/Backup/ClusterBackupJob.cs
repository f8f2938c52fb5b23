using System.Diagnostics;
using PgBackup.Backup.Packing;
using PgBackup.Backup.Publishing;
using PgBackup.Backup.Reading;
using PgBackup.Codecs;
using PgBackup.Errors;
using PgBackup.Platform;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup;

/// <summary>
/// A full base backup of a running cluster from its data directory. Prepared first, so that a caller can ask before anything is written; then run once.
/// A backup exists when its sentinel does, which is the last thing written; whatever ends the run before that leaves no listed backup, and no
/// backup session in the server.
/// </summary>
public sealed class ClusterBackupJob : IAsyncDisposable
{
    // wal-g's WALG_TAR_SIZE_THRESHOLD. An encrypted part can only be read from its start: it is made smaller instead.
    private const long PartSize = (1L << 30) - 1;
    private const long EncryptedPartSize = 128L << 20;

    private static readonly TimeSpan s_cleanUpLimit = TimeSpan.FromMinutes(1);

    private readonly BackupRepository _repository;
    private readonly BackupOptions _options;
    private readonly BackupSession _session;
    private readonly IOperationLog _log;
    private readonly IProgress<OperationProgress> _progress;

    private ClusterBackupJob(
        BackupRepository repository, BackupOptions options, BackupSession session, BackupTarget target, IOperationLog log, IProgress<OperationProgress> progress)
    {
        _repository = repository;
        _options = options;
        _session = session;
        Target = target;
        _log = log;
        _progress = progress;
    }

    /// <summary>The cluster that will be backed up.</summary>
    public BackupTarget Target { get; }

    /// <summary>
    /// Proves the key, connects, takes the lock in the server and runs the checks; writes nothing. Throws what <see cref="Postgres.Server.ServerSession"/> throws, what
    /// <see cref="RepositoryEncryption.ProveForWritingAsync"/> throws, and
    /// <c>BackupInProgress</c>, <c>InsufficientPrivilege</c>, <c>ServerIsStandby</c>, <c>ArchivingNotEnabled</c>, <c>ArchivingFails</c>,
    /// <c>DataDirectoryNotFound</c>, <c>DataDirectoryOfAnotherCluster</c>.
    /// </summary>
    public static async Task<ClusterBackupJob> PrepareAsync(
        BackupRepository repository,
        BackupOptions options,
        IOperationLog? log = null,
        IProgress<OperationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        Task proving = RepositoryEncryption.ProveForWritingAsync(repository, cancellationToken);
        BackupSession session;
        try
        {
            session = await BackupSession.OpenAsync(options.Server, cancellationToken).ConfigureAwait(false);
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
                log?.Warning(warning);
            BackupTarget target = await BackupChecks.RunAsync(session.Server, options, cancellationToken).ConfigureAwait(false);
            return new ClusterBackupJob(repository, options, session, target, log ?? OperationLog.None, progress ?? NoProgress.Instance);
        }
        catch
        {
            await session.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Takes the backup. Throws <c>ClusterIdentityMismatch</c>, <c>BackupInProgress</c>, <c>BackupNameTaken</c>, <c>DataFileUnreadable</c>,
    /// <c>StorageWriteFailed</c>, <c>WalNotArchived</c>, <c>TimelineChanged</c>, <c>LeaseLost</c>.
    /// </summary>
    public async Task<BackupResult> RunAsync(CancellationToken cancellationToken = default)
    {
        await RepositoryAdmission.RequireAsync(_repository, BackupChecks.IdentityOf(Target), _options.NewLineage, cancellationToken).ConfigureAwait(false);
        BackupLease lease = await BackupLease.AcquireAsync(_repository, "a full backup", cancellationToken).ConfigureAwait(false);
        await using (lease.ConfigureAwait(false))
        {
            using var sizing = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task<long> size = Task.Run(() => MeasureDataDirectory(sizing.Token), CancellationToken.None);
            BackupName? name = null;
            try
            {
                await BackupFolder.ClearAfterAsync(_repository, lease.Predecessor, _log, cancellationToken).ConfigureAwait(false);
                _progress.Report(new OperationProgress("Backing up the cluster", "Waiting for a checkpoint", 0, null));
                (Lsn startLsn, DateTimeOffset startTime) = await _session.StartAsync(_options.Label, !_options.SpreadCheckpoint, cancellationToken).ConfigureAwait(false);
                ControlFile control = await ControlFile.ReadAsync(Target.DataDirectory, cancellationToken).ConfigureAwait(false);
                BackupName started = BackupName.Full(WalSegmentName.Containing(control.Timeline, startLsn, control.WalSegmentSize));
                Task renaming = lease.RenameAsync(started.Text, cancellationToken);
                try
                {
                    await BackupChecks.RequireNameFreeAsync(_repository, started, cancellationToken).ConfigureAwait(false);
                    name = started; // From here on what lies under this name is ours to clear away.
                    _log.Information($"Backup {started} of the cluster {control.SystemIdentifier} began at {startLsn}.");
                    if (await BackupFolder.ClearAsync(_repository, started, cancellationToken).ConfigureAwait(false) is > 0 and int leftovers)
                        _log.Verbose($"{leftovers} objects of an earlier run under this name were removed.");
                }
                finally
                {
                    await renaming.ConfigureAwait(false);
                }
                return await CopyAndPublishAsync(lease, started, startLsn, startTime, control, size, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception error)
            {
                await _session.DisposeAsync().ConfigureAwait(false); // The server gives the backup up with its session.
                if (name is not null)
                    await WithdrawAsync(lease, name, error).ConfigureAwait(false);
                throw;
            }
            finally
            {
                await sizing.CancelAsync().ConfigureAwait(false);
                await ((Task)size).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Closes the session with the server.</summary>
    public ValueTask DisposeAsync() => _session.DisposeAsync();

    private async Task<BackupResult> CopyAndPublishAsync(
        BackupLease lease, BackupName name, Lsn startLsn, DateTimeOffset startTime, ControlFile control, Task<long> size, CancellationToken cancellationToken)
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
            await CopyDataDirectoryAsync(parts, encoder, name, startLsn, control, size, cancellationToken).ConfigureAwait(false);
            // Read last, so that it knows of nothing that the copied files do not.
            ControlFile last = await ControlFile.ReadAsync(Target.DataDirectory, cancellationToken).ConfigureAwait(false);
            if (last.Timeline != control.Timeline)
                throw PgErrors.TimelineChanged(name.Text, control.Timeline, last.Timeline);
            await WriteSmallPartAsync(
                parts, encoder, RepositoryLayout.ControlPartKey(name, encoder.Method), listMembers: false, cancellationToken, ("/global/pg_control", last.Content)).ConfigureAwait(false);

            stop = await _session.StopAsync(cancellationToken).ConfigureAwait(false);
            sinceStop = Stopwatch.StartNew();
            await WriteSmallPartAsync(
                parts, encoder, RepositoryLayout.LabelPartKey(name, encoder.Method), listMembers: true, cancellationToken,
                (BackupLabel.FileName, Utf8(stop.Label)), (TablespaceMap.FileName, Utf8(stop.TablespaceMap))).ConfigureAwait(false);
            (uncompressed, stored) = (parts.UncompressedBytes, parts.StoredBytes);
            // While the last parts become durable and the server archives its WAL.
            hasConfiguration = await WriteListsAsync(name, collector, cancellationToken).ConfigureAwait(false);
            await parts.FlushAsync().ConfigureAwait(false);
        }

        foreach (CorruptFile file in collector.CorruptFiles)
            _log.Warning($"Damaged pages were found and stored as they are: {file}. Check the disk, and compare with an older backup.");
        int segments = await WalProof.RequireAsync(
            _repository, name, startLsn, stop.FinishLsn, control.WalSegmentSize, _options.ArchiveTimeout, _session.ArchiverComplaintAsync, _log, _progress, cancellationToken).ConfigureAwait(false);
        TimeSpan waited = sinceStop.Elapsed;

        var facts = new BackupFacts(
            name, startLsn, startTime, stop, stop.FinishTime + waited, control, Target, uncompressed, stored,
            await size.ConfigureAwait(false), collector.CorruptFiles.Sum(f => (long)f.Blocks.Count), TablespaceMap.Parse(stop.TablespaceMap));
        await PublishAsync(lease, facts, hasConfiguration, cancellationToken).ConfigureAwait(false);
        _log.Information($"Backup {name} is complete: {new ByteSize(stored)} from {startLsn} to {stop.FinishLsn}.");
        return Result(facts, collector, segments, waited);
    }

    private async Task CopyDataDirectoryAsync(
        PartWriter parts, PartEncoder encoder, BackupName name, Lsn startLsn, ControlFile control, Task<long> size, CancellationToken cancellationToken)
    {
        PageInspector? inspector = control.HasDataChecksums
            ? new PageInspector(new PageVerifier(hasChecksums: true, startLsn), control, await _session.WalEndAsync(cancellationToken).ConfigureAwait(false), _session.WalEndAsync)
            : null;
        var walker = new DataDirectoryWalker(Target.DataDirectory, _log);
        var planner = new FramePlanner(_repository.Key is null ? PartSize : EncryptedPartSize, _log);
        var filler = new FrameFiller(encoder, inspector, new RateLimiter(_options.RateLimit), _log);
        long done = 0;
        await SessionWatch.RunAsync(
            _session,
            watched => PackingPipeline.RunAsync(
                planner.Plan(walker.Walk()),
                filler.FillAsync,
                async (job, token) =>
                {
                    await parts.AppendAsync(job, token).ConfigureAwait(false);
                    done += job.PlannedBytes;
                    _progress.Report(new OperationProgress($"Backing up {name}", "Copying the data directory", done, size.IsCompletedSuccessfully ? Math.Max(size.Result, done) : null));
                },
                _options.ThrottleLimit ?? Environment.ProcessorCount,
                watched),
            cancellationToken).ConfigureAwait(false);
    }

    private static async Task WriteSmallPartAsync(
        PartWriter parts, PartEncoder encoder, string key, bool listMembers, CancellationToken cancellationToken, params (string, ReadOnlyMemory<byte>)[] members)
    {
        var now = new FileTime(DateTimeOffset.UtcNow.ToUnixTimeSeconds(), 0);
        FrameJob job = SmallPart.Create(encoder, now, members);
        await parts.WriteSmallPartAsync(key, job, listMembers, cancellationToken).ConfigureAwait(false);
        job.Release();
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
                ? writer => DatabaseNames.WriteAsync(writer, _session.Server, _options.Server, _log, cancellationToken)
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
        Type = BackupType.Full,
        StartTime = facts.StartTime,
        FinishTime = facts.FinishTime,
        StartLsn = facts.StartLsn,
        FinishLsn = facts.Stop.FinishLsn,
        Timeline = facts.Name.Segment.Timeline,
        Size = facts.StoredBytes,
        UncompressedSize = facts.UncompressedBytes,
        FileCount = collector.FileCount,
        CorruptFiles = collector.CorruptFiles,
        ChecksumsVerified = facts.Control.HasDataChecksums,
        WalSegmentCount = segments,
        ArchiveWait = waited,
        SystemIdentifier = facts.Control.SystemIdentifier,
        ServerVersion = Target.ServerVersion,
        IsPermanent = _options.IsPermanent,
        Repository = _repository.Location,
    };

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

    private static ReadOnlyMemory<byte> Utf8(string text) => System.Text.Encoding.UTF8.GetBytes(text);
}
