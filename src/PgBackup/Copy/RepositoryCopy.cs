using System.Runtime.CompilerServices;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Copy;

/// <summary>
/// Copies backups with all that their restore needs from one repository into another, byte for byte. What is copied was proven whole in the source before; a backup is listed in the
/// destination when every object of it was proven there.
/// </summary>
public sealed class RepositoryCopy : IAsyncDisposable
{
    private readonly BackupRepository _source;
    private readonly BackupRepository _target;
    private readonly CopyOptions _options;
    private readonly IOperationLog _log;
    private readonly CopyJournal _journal;
    private readonly CopyPlan _plan;
    private readonly CopyProgress _progress;
    private readonly ObjectCopier _copier;
    private readonly HashSet<string> _failed = new(StringComparer.Ordinal);
    private readonly HashSet<string> _copied = new(StringComparer.Ordinal);
    private readonly SentinelWriter _sentinels;

    private RepositoryCopy(
        BackupRepository source, BackupRepository target, CopyOptions options, CopyJournal journal, CopyPlan plan, IOperationLog log, IProgress<OperationProgress> progress)
    {
        _source = source;
        _target = target;
        _options = options;
        _log = log;
        _journal = journal;
        _plan = plan;
        _progress = new CopyProgress(progress, target.Location);
        _copier = new ObjectCopier(source.Store, target.Store, options.RateLimit, _progress.Add);
        _sentinels = new SentinelWriter(source.Store, target.Store);
    }

    /// <summary>What will be copied: parents before their deltas, else as the source's sentinels are old.</summary>
    internal IReadOnlyList<PlannedBackup> Backups => _plan.Backups;

    /// <summary>
    /// Makes the plan and proves it; writes nothing. Throws <c>CopyOntoItself</c>, <c>ClusterIdentityMismatch</c>, <c>EncryptionMismatch</c>, <c>InsufficientSpace</c>; what is wrong
    /// with one backup alone becomes its result.
    /// </summary>
    /// <param name="source">Where the backups are.</param>
    /// <param name="target">Where they shall go; it need not exist yet, but its parent must.</param>
    /// <param name="wanted">The backups; their chains go along.</param>
    /// <param name="catalog">All backups of the source.</param>
    /// <param name="options">What goes along.</param>
    /// <param name="log">Where decisions go.</param>
    /// <param name="progress">Told of bytes.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<RepositoryCopy> PrepareAsync(
        BackupRepository source, BackupRepository target, IReadOnlyList<ClusterBackup> wanted, IReadOnlyList<ClusterBackup> catalog, CopyOptions? options = null,
        IOperationLog? log = null, IProgress<OperationProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        if (source.Location == target.Location && target.Store.CanCopyFrom(source.Store)) // A bucket of the same name at another provider is another one.
            throw PgErrors.CopyOntoItself(source.Location);
        options ??= new CopyOptions();
        log ??= OperationLog.None;
        CopyJournal journal = await CopyJournal.LoadAsync(target.Store, source.Location, cancellationToken).ConfigureAwait(false);
        CopyPlan plan = await new CopyPlanner(source, target, catalog, options, journal, log).PlanAsync(wanted, cancellationToken).ConfigureAwait(false);
        return new RepositoryCopy(source, target, options, journal, plan, log, progress ?? NoProgress.Instance);
    }

    /// <summary>Takes a backup out of the plan, with the deltas on it.</summary>
    internal void Exclude(PlannedBackup backup)
    {
        var gone = new HashSet<string>(StringComparer.Ordinal) { backup.Name.Text };
        PlannedBackup[] before = [.. _plan.Backups];
        _plan.Backups.RemoveAll(b => gone.Contains(b.Name.Text) || (b.Backup.Chain.Any(gone.Contains) && gone.Add(b.Name.Text)));
        // The WAL behind what is left out goes along with the backup before it.
        foreach (PlannedBackup removed in before.Except(_plan.Backups).OrderBy(b => b.FirstNumber))
        {
            if (removed.TailEnd is { } end && _plan.Backups.Where(b => b.FirstNumber <= removed.FirstNumber).MaxBy(b => b.FirstNumber) is { TailEnd: { } own } heir && end > own)
                heir.TailEnd = end;
        }
    }

    /// <summary>The results of backups that were refused before anything was copied.</summary>
    internal IEnumerable<BackupCopyResult> Refused => _plan.Refused.Select(r => Result(r.Name, BackupCopyStatus.Failed, DateTimeOffset.UtcNow, 0, 0, 0, 0, r.Error));

    /// <summary>
    /// Copies what is in the plan, a result for each backup as soon as it is done. What fails for one backup is in its result; throws what concerns all: <c>CopyInProgress</c>,
    /// <c>LeaseLost</c>, <c>RepositoryNotFound</c>, <c>CopyNotConfirmed</c>.
    /// </summary>
    public async IAsyncEnumerable<BackupCopyResult> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (_plan.Backups.Count == 0)
            yield break;
        if (_plan.Backups.TrueForAll(static b => b.IsPresent))
        {
            _journal.Begin();
            foreach (PlannedBackup backup in _plan.Backups)
                yield return Result(backup.Name.Text, BackupCopyStatus.Present, DateTimeOffset.UtcNow, 0, 0, backup.SkippedCount, backup.Wal.Count, null);
            yield break;
        }
        _progress.Begin(_plan.Backups.Count, _plan.Backups.Sum(b => b.Size.Bytes));
        BackupLease lease = await BackupLease.AcquireForCopyAsync(_target, _plan.Backups[0].Name.Text, cancellationToken).ConfigureAwait(false);
        await using (lease.ConfigureAwait(false))
        {
            await EncryptionGuard.TakeOverAsync(_source, _target, cancellationToken).ConfigureAwait(false);
            await IdentityGuard.TakeOverAsync(_source, _target, _plan.Backups, _options.NewLineage, cancellationToken).ConfigureAwait(false);
            if (_options.WithHistory)
                await CopyHistoriesAsync(cancellationToken).ConfigureAwait(false);
            _journal.Begin();
            foreach (PlannedBackup backup in _plan.Backups)
            {
                yield return await CopyAsync(backup, lease, cancellationToken).ConfigureAwait(false);
            }
            await CopyProof.RequireAsync(_target, _plan, _failed, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Writes the journal for a later run, or removes it when nothing is left to do.</summary>
    public ValueTask DisposeAsync() => _journal.DisposeAsync();

    private async Task<BackupCopyResult> CopyAsync(PlannedBackup backup, BackupLease lease, CancellationToken cancellationToken)
    {
        DateTimeOffset begun = DateTimeOffset.UtcNow;
        var tally = new CopyTally();
        bool isThere = backup.IsPublished;
        int wal = backup.Wal.Count;
        try
        {
            if (backup.Backup.Parent is { } parent && _failed.Contains(parent))
                throw PgErrors.CopyParentMissing(backup.Name.Text, parent, _target.Location);
            await lease.RenameAsync(backup.Name.Text, cancellationToken).ConfigureAwait(false);
            _progress.Enter(backup.Name.Text);
            await CopyOwnAsync(backup, tally, cancellationToken).ConfigureAwait(false);
            if (!backup.IsPublished)
            {
                await CopyProof.RequireAsync(_target, _plan.Target, backup, cancellationToken).ConfigureAwait(false);
                await lease.RequireHeldAsync(cancellationToken).ConfigureAwait(false);
                await _sentinels.PublishAsync(backup, cancellationToken).ConfigureAwait(false);
                tally.Add(backup.Sentinel);
                _journal.Forget(RepositoryLayout.FolderOf(backup.Name));
            }
            isThere = true;
            wal = Math.Max(wal, await CopyTailAsync(backup, tally, cancellationToken).ConfigureAwait(false));
            BackupCopyStatus status = tally.Count == 0 ? BackupCopyStatus.Present : BackupCopyStatus.Copied;
            return Result(backup.Name.Text, status, begun, tally.Count, tally.Bytes, backup.SkippedCount, wal, null);
        }
        catch (PgBackupException error) when (error.Id is not ("LeaseLost" or "RepositoryNotFound"))
        {
            if (!isThere)
                _failed.Add(backup.Name.Text);
            return Result(backup.Name.Text, isThere ? BackupCopyStatus.Partial : BackupCopyStatus.Failed, begun, tally.Count, tally.Bytes, backup.SkippedCount, wal, error);
        }
    }

    /// <summary>The backup's files and its WAL, then its metadata.</summary>
    private async Task CopyOwnAsync(PlannedBackup backup, CopyTally tally, CancellationToken cancellationToken)
    {
        // What a killed run has left in flight: under the lease nobody else writes there.
        if (!backup.IsPublished)
            await _target.Store.RemoveUnfinishedAsync(RepositoryLayout.FolderOf(backup.Name), cancellationToken).ConfigureAwait(false);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = _options.ThrottleLimit, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(backup.PendingFiles, parallel, async (item, token) =>
        {
            await _copier.CopyAsync(item, PutCondition.None, token).ConfigureAwait(false);
            if (!backup.IsPublished)
                _journal.Add(item);
            tally.Add(item);
        }).ConfigureAwait(false);
        StoredObject[] wal = [.. backup.PendingWal.Where(w => !_copied.Contains(w.Key))]; // Of an earlier backup's copy, before ours adds to it.
        await Parallel.ForEachAsync(wal, parallel, (item, token) => CopyWalAsync(item, tally, token)).ConfigureAwait(false);
        if (backup is { IsMetadataPending: true, Metadata: { } metadata })
        {
            await _copier.CopyAsync(metadata, PutCondition.None, cancellationToken).ConfigureAwait(false);
            tally.Add(metadata);
        }
    }

    /// <summary>The WAL behind a backup, up to the next one; returns how many objects of the archive that is.</summary>
    private async Task<int> CopyTailAsync(PlannedBackup backup, CopyTally tally, CancellationToken cancellationToken)
    {
        if (backup.TailEnd is null)
            return 0;
        int count = 0;
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = _options.ThrottleLimit, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(CopyPlanner.TailOf(backup, _plan.SourceWal), parallel, async (item, token) =>
        {
            Interlocked.Increment(ref count);
            if (await _plan.Target.IsWalThereAsync(item, token).ConfigureAwait(false))
                return;
            StoredObject stored = _plan.SourceWal.ObjectOf(item);
            bool isDone;
            lock (_copied)
                isDone = _copied.Contains(stored.Key);
            if (!isDone)
                await CopyWalAsync(stored, tally, token).ConfigureAwait(false);
        }).ConfigureAwait(false);
        return count;
    }

    private async Task CopyHistoriesAsync(CancellationToken cancellationToken)
    {
        foreach (StoredObject file in _plan.SourceWal.Histories.Values)
        {
            if (!await _plan.Target.IsHistoryThereAsync(file, cancellationToken).ConfigureAwait(false))
                await CopyWalAsync(file, new CopyTally(), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Never replaces: whoever archived the same file in between has the same content, or this is an error.</summary>
    private async ValueTask CopyWalAsync(StoredObject item, CopyTally tally, CancellationToken cancellationToken)
    {
        try
        {
            await _copier.CopyAsync(item, PutCondition.IfAbsent, cancellationToken).ConfigureAwait(false);
            tally.Add(item);
        }
        catch (PgBackupException error) when (error.Id == "ObjectExists")
        {
            await WalComparer.RequireSameAsync(_source, item.Key, _target, item.Key, cancellationToken).ConfigureAwait(false);
        }
        lock (_copied)
            _copied.Add(item.Key);
    }

    private BackupCopyResult Result(
        string name, BackupCopyStatus status, DateTimeOffset begun, int count, long bytes, int skipped, int wal, PgBackupException? failure) => new()
    {
        Name = name,
        Status = status,
        Source = _source.Location,
        Destination = _target.Location,
        ObjectCount = count,
        Size = bytes,
        SkippedCount = skipped,
        WalObjectCount = wal,
        StartTime = begun,
        EndTime = DateTimeOffset.UtcNow,
        Failure = failure,
    };
}
