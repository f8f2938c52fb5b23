using PgBackup.Repository;
using PgBackup.Retention.Removal;

namespace PgBackup.Retention.Garbage;

/// <summary>Removes what nothing in a repository needs, item by item; holds a <see cref="MaintenanceLease"/> from the preparation to the disposal.</summary>
public sealed class RepositoryCleaning : IAsyncDisposable
{
    /// <summary>How old garbage is at least, when nothing else is said.</summary>
    public static readonly TimeSpan DefaultAge = TimeSpan.FromDays(1);

    private const int Batch = 10_000;

    private readonly BackupRepository _repository;
    private readonly RetentionFacts _facts;
    private readonly MaintenanceLease? _lease;
    private readonly DateTimeOffset _before;
    private readonly IOperationLog _log;

    private RepositoryCleaning(BackupRepository repository, RetentionFacts facts, IReadOnlyList<GarbageItem> items, MaintenanceLease? lease, DateTimeOffset before, IOperationLog log)
    {
        (_repository, _facts, Items, _lease, _before, _log) = (repository, facts, items, lease, before, log);
    }

    /// <summary>What was found.</summary>
    public IReadOnlyList<GarbageItem> Items { get; }

    /// <summary>
    /// Takes the lease, unless only a preview is wanted, finishes removals that were killed, and looks. Throws <c>BackupInProgress</c>, <c>CopyInProgress</c>, <c>MaintenanceInProgress</c>, and what
    /// <see cref="RepositoryEncryption.ProveAsync"/> throws.
    /// </summary>
    /// <param name="repository">The repository.</param>
    /// <param name="olderThan">Younger things are left alone.</param>
    /// <param name="isPreview">Whether nothing will be removed.</param>
    /// <param name="log">The log.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<RepositoryCleaning> PrepareAsync(
        BackupRepository repository, TimeSpan olderThan, bool isPreview, IOperationLog log, CancellationToken cancellationToken = default)
    {
        await RepositoryEncryption.ProveAsync(repository, cancellationToken).ConfigureAwait(false);
        MaintenanceLease? lease = isPreview ? null : await MaintenanceLease.AcquireAsync(repository, "clean-up", log, cancellationToken).ConfigureAwait(false);
        try
        {
            if (!isPreview)
                await RemovalJournal.FinishAsync(repository, log, cancellationToken).ConfigureAwait(false);
            DateTimeOffset now = DateTimeOffset.UtcNow, before = now - olderThan;
            RetentionFacts facts = await RetentionSurvey.ReadAsync(repository, log, cancellationToken).ConfigureAwait(false);
            IReadOnlyList<GarbageItem> items = await new GarbageFinder(repository, before, now).FindAsync(facts, cancellationToken).ConfigureAwait(false);
            return new RepositoryCleaning(repository, facts, items, lease, before, log);
        }
        catch
        {
            if (lease is not null)
                await lease.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Removes one. Throws <c>LeaseLost</c> and what deleting throws.</summary>
    public async Task<GarbageItem> RemoveAsync(GarbageItem item, CancellationToken cancellationToken = default)
    {
        await (_lease ?? throw new InvalidOperationException("It is a preview.")).RequireHeldAsync(cancellationToken).ConfigureAwait(false);
        switch (item.Kind)
        {
            case GarbageKind.UnfinishedBackup or GarbageKind.UnfinishedDump:
                // It may have become a backup since it was looked at, by a program that knows no leases.
                if (await _repository.Store.StatAsync(RemovableBackup.MarkerOf(item.Name), cancellationToken).ConfigureAwait(false) is not null)
                    return item;
                await RemovableBackup.ClearAsync(_repository, item.Name, cancellationToken).ConfigureAwait(false);
                break;
            case GarbageKind.OrphanedWal:
                WalInventory inventory = _facts.Archive.Inventory;
                foreach (string[] batch in inventory.NotesWithin(item.Stretch!.Timeline, item.Stretch.First, item.Stretch.Last).Chunk(Batch)
                    .Concat(inventory.KeysWithin(item.Stretch.Timeline, item.Stretch.First, item.Stretch.Last).Chunk(Batch)))
                {
                    await _lease.RequireHeldAsync(cancellationToken).ConfigureAwait(false);
                    await _repository.Store.DeleteAsync(batch, cancellationToken).ConfigureAwait(false);
                }
                break;
            case GarbageKind.UnfinishedObject:
                await _repository.Store.RemoveUnfinishedAsync(item.Name, _before, cancellationToken).ConfigureAwait(false);
                break;
            default:
                await BackupLocks.DeleteAsync(_repository, [item.Name], cancellationToken).ConfigureAwait(false);
                break;
        }
        _log.Information($"{item.Kind} {item} was removed from '{_repository.Location}'.");
        return item with { IsRemoved = true };
    }

    /// <summary>Gives the lease back.</summary>
    public ValueTask DisposeAsync() => _lease?.DisposeAsync() ?? ValueTask.CompletedTask;
}
