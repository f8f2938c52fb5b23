using System.Runtime.CompilerServices;
using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Dumps;

namespace PgBackup.Retention.Removal;

/// <summary>
/// Removes backups that were named, whatever a policy says; their WAL stays until retention finds that nothing needs it. What is locked stays, and so does what others rest on, unless they go too.
/// </summary>
public sealed class NamedRemoval : IAsyncDisposable
{
    private readonly BackupRepository _repository;
    private readonly MaintenanceLease? _lease;
    private readonly IOperationLog _log;
    private readonly IProgress<OperationProgress> _progress;
    private readonly List<RetentionBackup> _going;

    private NamedRemoval(BackupRepository repository, MaintenanceLease? lease, IReadOnlyList<RetentionBackup> going, IReadOnlyList<PgBackupException> refused, IOperationLog log, IProgress<OperationProgress> progress)
    {
        (_repository, _lease, _going, Refused, _log, _progress) = (repository, lease, [.. going], refused, log, progress);
    }

    /// <summary>What will go, deltas that were not named themselves included, oldest first.</summary>
    public IReadOnlyList<RetentionBackup> Backups => _going;

    /// <summary>Why names are left alone.</summary>
    public IReadOnlyList<PgBackupException> Refused { get; }

    /// <summary>Takes the lease, unless only a preview is wanted, and looks what hangs on what.</summary>
    /// <param name="repository">The repository.</param>
    /// <param name="names">The names.</param>
    /// <param name="includeDependent">Whether the deltas on them go too.</param>
    /// <param name="force">Whether the last good backup of a cluster or a database may go.</param>
    /// <param name="isPreview">Whether nothing will be removed.</param>
    /// <param name="log">The log.</param>
    /// <param name="progress">The progress.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<NamedRemoval> PrepareAsync(
        BackupRepository repository, IReadOnlyCollection<string> names, bool includeDependent, bool force, bool isPreview, IOperationLog log, IProgress<OperationProgress> progress,
        CancellationToken cancellationToken = default)
    {
        MaintenanceLease? lease = isPreview ? null : await MaintenanceLease.AcquireAsync(repository, "name", log, cancellationToken).ConfigureAwait(false);
        try
        {
            if (!isPreview)
                await RemovalJournal.FinishAsync(repository, log, cancellationToken).ConfigureAwait(false);
            IReadOnlyList<ClusterBackup> clusters = await BackupCatalog.ListAsync(repository, cancellationToken).ConfigureAwait(false);
            IReadOnlyList<DatabaseBackup> dumps = await DumpCatalog.ListAsync(repository, cancellationToken).ConfigureAwait(false);
            RetentionBackup[] all = [.. clusters.Select(RetentionBackup.Of), .. dumps.Select(RetentionBackup.Of)];
            var choice = new RemovalChoice(repository.Location, all, includeDependent, force);
            (IReadOnlyList<RetentionBackup> going, IReadOnlyList<PgBackupException> refused) = choice.Of(names, DateTimeOffset.UtcNow);
            return new NamedRemoval(repository, lease, going, refused, log, progress);
        }
        catch
        {
            if (lease is not null)
                await lease.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Takes a backup out, with all that is under it.</summary>
    public void Keep(RetentionBackup backup) => _going.RemoveAll(b => backup.Chain.Contains(b.Name));

    /// <summary>Removes them; a result for each.</summary>
    public async IAsyncEnumerable<RemovalResult> RunAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var remover = new BackupRemover(_repository, _lease ?? throw new InvalidOperationException("It is a preview."), _log);
        IReadOnlyDictionary<string, string> stay = await remover.UnpublishAsync(_going, cancellationToken).ConfigureAwait(false);
        foreach (RetentionBackup backup in _going.Where(b => stay.ContainsKey(b.Name)))
            yield return Result(backup, RemovalStatus.Retained, stay[backup.Name], 0, null);
        var byName = _going.Where(b => !stay.ContainsKey(b.Name)).ToDictionary(static b => b.Name, StringComparer.Ordinal);
        int done = 0;
        await foreach ((string name, int objects, PgBackupException? failure) in remover.ClearAsync([.. byName.Keys], cancellationToken).ConfigureAwait(false))
        {
            _progress.Report(new OperationProgress("Removing backups", name, ++done, byName.Count, ProgressUnit.Items));
            yield return Result(byName[name], failure is null ? RemovalStatus.Removed : RemovalStatus.Partial, failure?.Message ?? "named", objects, failure);
        }
        await RemovalJournal.DeleteAsync(_repository, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gives the lease back.</summary>
    public ValueTask DisposeAsync() => _lease?.DisposeAsync() ?? ValueTask.CompletedTask;

    private RemovalResult Result(RetentionBackup backup, RemovalStatus status, string reason, int objects, PgBackupException? failure) => new()
    {
        Name = backup.Name,
        Kind = backup.Kind == BackupKind.Cluster ? RetentionItemKind.Cluster : RetentionItemKind.Database,
        Status = status,
        Reason = reason,
        ObjectCount = objects,
        Size = status == RemovalStatus.Removed ? new ByteSize(backup.Size ?? 0) : default,
        Repository = _repository.Location,
        Failure = failure?.Id == "ObjectLocked" ? null : failure,
    };
}
