using System.Runtime.CompilerServices;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;

namespace PgBackup.Retention.Removal;

/// <summary>How a policy is applied.</summary>
public sealed record RetentionOptions
{
    /// <summary>More backups than so many are not removed in one run, none of them; null for no limit.</summary>
    public int? MaxRemove { get; init; }

    /// <summary>Whether a store that keeps versions loses those of what goes, too.</summary>
    public bool PurgeVersions { get; init; }

    /// <summary>The time that counts as now; null for the clock's.</summary>
    internal DateTimeOffset? Now { get; init; }
}

/// <summary>
/// Applies a retention policy to a repository. Prepare it, look at <see cref="Decisions"/>, take out what shall stay all the same (<see cref="Keep"/>), run it. From the preparation to the disposal it
/// holds a <see cref="MaintenanceLease"/>.
/// </summary>
public sealed class RetentionRun : IAsyncDisposable
{
    private const int WalBatch = 10_000;

    private readonly BackupRepository _repository;
    private readonly RetentionPolicy _policy;
    private readonly RetentionFacts _facts;
    private readonly DateTimeOffset _now;
    private readonly bool _keepsKeys;
    private readonly MaintenanceLease _lease;
    private readonly IOperationLog _log;
    private readonly IProgress<OperationProgress> _progress;
    private readonly Dictionary<string, string> _kept = new(StringComparer.Ordinal);
    private readonly HashSet<string> _goneBackups = new(StringComparer.Ordinal);
    private readonly HashSet<string> _goneWal = new(StringComparer.Ordinal);

    private RetentionRun(
        BackupRepository repository, RetentionPolicy policy, RetentionOptions? options, RetentionFacts facts, MaintenanceLease lease, IOperationLog log, IProgress<OperationProgress> progress)
    {
        (_repository, _policy, _facts, _lease, _log, _progress) = (repository, policy, facts, lease, log, progress);
        _now = options?.Now ?? DateTimeOffset.UtcNow;
        _keepsKeys = options?.PurgeVersions == true;
        Decisions = Decide();
    }

    /// <summary>What the policy says of everything in the repository, and why.</summary>
    public IReadOnlyList<RetentionDecision> Decisions { get; private set; }

    /// <summary>What a policy would do; nothing is written, and nobody is kept waiting.</summary>
    public static async Task<IReadOnlyList<RetentionDecision>> PreviewAsync(
        BackupRepository repository, RetentionPolicy policy, IOperationLog? log = null, DateTimeOffset? now = null, CancellationToken cancellationToken = default)
    {
        policy.Require();
        RetentionFacts facts = await RetentionSurvey.ReadAsync(repository, log ?? OperationLog.None, cancellationToken).ConfigureAwait(false);
        return In(repository, RetentionPlanner.Decide(policy, facts, now ?? DateTimeOffset.UtcNow));
    }

    /// <summary>
    /// Takes the lease, finishes what a run that died has begun, and decides. Throws <c>RetentionPolicyInvalid</c>, <c>RetentionLimitExceeded</c>, <c>BackupInProgress</c>, <c>CopyInProgress</c>,
    /// <c>MaintenanceInProgress</c>, and what <see cref="RepositoryEncryption.ProveAsync"/> throws.
    /// </summary>
    public static async Task<RetentionRun> PrepareAsync(
        BackupRepository repository, RetentionPolicy policy, RetentionOptions? options = null, IOperationLog? log = null, IProgress<OperationProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        policy.Require();
        log ??= OperationLog.None;
        await RepositoryEncryption.ProveAsync(repository, cancellationToken).ConfigureAwait(false);
        MaintenanceLease lease = await MaintenanceLease.AcquireAsync(repository, "retention", log, cancellationToken).ConfigureAwait(false);
        try
        {
            await RemovalJournal.FinishAsync(repository, log, cancellationToken).ConfigureAwait(false);
            RetentionFacts facts = await RetentionSurvey.ReadAsync(repository, log, cancellationToken).ConfigureAwait(false);
            var run = new RetentionRun(repository, policy, options, facts, lease, log, progress ?? NoProgress.Instance);
            int count = run.Decisions.Count(static d => d is { Action: RetentionAction.Remove, Backup: not null });
            return count <= (options?.MaxRemove ?? int.MaxValue) ? run : throw PgErrors.RetentionLimitExceeded(repository.Location, count, options!.MaxRemove!.Value);
        }
        catch
        {
            await lease.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Takes a backup out of what goes; its chain and its WAL stay with it.</summary>
    public void Keep(RetentionDecision decision, string reason) => _kept[decision.Name] = reason;

    /// <summary>Decides anew, with what was taken out.</summary>
    public void Reconsider() => Decisions = Decide();

    /// <summary>
    /// Removes the backups that go: first all that makes them listed, then their objects. A result for each; <see cref="Decisions"/> are then those of what is left. Throws <c>LeaseLost</c>.
    /// </summary>
    public async IAsyncEnumerable<RemovalResult> RemoveBackupsAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        RetentionDecision[] going = [.. Decisions.Where(static d => d is { Action: RetentionAction.Remove, Backup: not null })];
        if (going.Length == 0)
            yield break;
        var remover = new BackupRemover(_repository, _lease, _log);
        IReadOnlyDictionary<string, string> stay = await remover.UnpublishAsync([.. going.Select(static d => d.Backup!)], cancellationToken).ConfigureAwait(false);
        foreach (RetentionDecision decision in going.Where(d => stay.ContainsKey(d.Name)))
        {
            _kept[decision.Name] = stay[decision.Name];
            yield return Result(decision, RemovalStatus.Retained, stay[decision.Name], 0, default, null);
        }
        var byName = going.Where(d => !stay.ContainsKey(d.Name)).ToDictionary(static d => d.Name, StringComparer.Ordinal);
        int done = 0;
        await foreach ((string name, int objects, PgBackupException? failure) in remover.ClearAsync([.. byName.Keys], cancellationToken).ConfigureAwait(false))
        {
            _progress.Report(new OperationProgress("Removing backups", name, ++done, byName.Count, ProgressUnit.Items));
            RetentionDecision decision = byName[name];
            _goneBackups.Add(name);
            yield return failure is null
                ? Result(decision, RemovalStatus.Removed, decision.Reason, objects, decision.Size ?? default, null)
                : Result(decision, RemovalStatus.Partial, failure.Message, objects, default, failure.Id == "ObjectLocked" ? null : failure);
        }
        await RemovalJournal.DeleteAsync(_repository, cancellationToken).ConfigureAwait(false);
        Reconsider();
    }

    /// <summary>Removes a run of WAL, or a history file, that nothing needs any more; only after <see cref="RemoveBackupsAsync"/>. Throws <c>LeaseLost</c>.</summary>
    public async Task<RemovalResult> RemoveWalAsync(RetentionDecision decision, CancellationToken cancellationToken = default)
    {
        if (decision.Action != RetentionAction.Remove || !Decisions.Contains(decision))
            throw new ArgumentException("It stays.", nameof(decision));
        long objects = 0;
        try
        {
            // The notes first: one without its segment would never be judged again.
            foreach (string[] batch in NotesOf(decision).Chunk(WalBatch).Concat(KeysOf(decision).Chunk(WalBatch)))
            {
                await _lease.RequireHeldAsync(cancellationToken).ConfigureAwait(false);
                await _repository.Store.DeleteAsync(batch, cancellationToken).ConfigureAwait(false);
                objects += batch.Length;
                if (_keepsKeys)
                    _goneWal.UnionWith(batch);
                _progress.Report(new OperationProgress("Removing WAL", decision.ToString(), objects, decision.Count, ProgressUnit.Items));
            }
            _log.Information($"{decision} was removed from the WAL archive of '{_repository.Location}'.");
            return Result(decision, RemovalStatus.Removed, decision.Reason, objects, decision.Size ?? default, null);
        }
        catch (PgBackupException error) when (BackupRemover.IsRefusal(error))
        {
            return Result(decision, RemovalStatus.Partial, error.Message, objects, default, error.Id == "ObjectLocked" ? null : error);
        }
    }

    /// <summary>
    /// Removes for good what a store that keeps versions still holds of what this run has removed; once, at the end. Returns how many versions there were. Throws <c>ObjectLocked</c>,
    /// <c>StorageDeletionIncomplete</c>, <c>LeaseLost</c>.
    /// </summary>
    public async Task<long> PurgeVersionsAsync(CancellationToken cancellationToken = default)
    {
        await _lease.RequireHeldAsync(cancellationToken).ConfigureAwait(false);
        long versions = 0;
        var markers = new HashSet<string>(_goneBackups.Select(RemovableBackup.MarkerOf), StringComparer.Ordinal);
        if (markers.Count > 0)
        {
            // One listing of all, not one for each: the names of segments sort so that a backup's folder and its sentinel lie apart.
            var folders = new HashSet<string>(_goneBackups.Select(RemovableBackup.FolderOf), StringComparer.Ordinal);
            bool IsGone(string key) => markers.Contains(key) || folders.Contains(key[..(key.IndexOf('/', Math.Min(key.Length, FolderDepth(key))) + 1)]);
            versions += await _repository.Store.PurgeVersionsAsync(RepositoryLayout.BackupFolder, IsGone, cancellationToken).ConfigureAwait(false);
            versions += await _repository.Store.PurgeVersionsAsync(DumpLayout.Folder, IsGone, cancellationToken).ConfigureAwait(false);
        }
        if (_goneWal.Count > 0)
            versions += await _repository.Store.PurgeVersionsAsync(RepositoryLayout.WalFolder, _goneWal.Contains, cancellationToken).ConfigureAwait(false);
        return versions;
    }

    /// <summary>Gives the lease back.</summary>
    public ValueTask DisposeAsync() => _lease.DisposeAsync();

    private IEnumerable<string> KeysOf(RetentionDecision decision) => decision.Stretch is { } run
        ? _facts.Archive.Inventory.KeysWithin(run.Timeline, run.First, run.Last)
        : WalArchive.KeysOf(decision.Name);

    private IEnumerable<string> NotesOf(RetentionDecision decision) => decision.Stretch is { } run ? _facts.Archive.Inventory.NotesWithin(run.Timeline, run.First, run.Last) : [];

    private static int FolderDepth(string key) => (key.StartsWith(RepositoryLayout.BackupFolder, StringComparison.Ordinal) ? RepositoryLayout.BackupFolder : DumpLayout.Folder).Length;

    private IReadOnlyList<RetentionDecision> Decide()
    {
        RetentionFacts facts = _kept.Count == 0 ? _facts : _facts with { Backups = [.. _facts.Backups.Select(b => _kept.TryGetValue(b.Name, out string? reason) ? b with { HeldBack = reason } : b)] };
        return In(_repository, RetentionPlanner.Decide(_policy, facts, _now));
    }

    private static IReadOnlyList<RetentionDecision> In(BackupRepository repository, IReadOnlyList<RetentionDecision> decisions) => [.. decisions.Select(d => d with { Repository = repository.Location })];

    private RemovalResult Result(RetentionDecision decision, RemovalStatus status, string reason, long objects, ByteSize size, PgBackupException? failure) => new()
    {
        Name = decision.Name, LastSegment = decision.LastSegment, Kind = decision.Kind, Status = status, Reason = reason, ObjectCount = objects, Size = size, Repository = _repository.Location, Failure = failure,
    };
}
