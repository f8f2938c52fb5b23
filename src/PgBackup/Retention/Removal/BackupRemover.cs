using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Retention.Removal;

/// <summary>
/// Removes backups so that a kill at any instant leaves only whole ones listed: what makes a backup exist goes first, of deltas before that of what is under them, and then the objects. Works under a
/// <see cref="MaintenanceLease"/>, which is looked at before every step.
/// </summary>
internal sealed class BackupRemover(BackupRepository repository, MaintenanceLease lease, IOperationLog log)
{
    private const int FoldersAtOnce = 4;

    /// <summary>
    /// Makes the backups no backups any more: returns those that still are, each with the reason; their chains stay with them. Of the rest only objects are left.
    /// </summary>
    public async Task<IReadOnlyDictionary<string, string>> UnpublishAsync(IReadOnlyCollection<RetentionBackup> backups, CancellationToken cancellationToken)
    {
        var stay = new Dictionary<string, string>(await LockedSinceAsync(backups, cancellationToken).ConfigureAwait(false), StringComparer.Ordinal);
        KeepChains(backups, stay);
        RetentionBackup[] going = [.. backups.Where(b => !stay.ContainsKey(b.Name))];
        if (going.Length == 0)
            return stay;
        await RemovalJournal.WriteAsync(repository, [.. going.Select(static b => b.Name)], cancellationToken).ConfigureAwait(false);
        // The longest chains first: no delta is ever listed without what it rests on.
        foreach (IGrouping<int, RetentionBackup> generation in going.GroupBy(static b => b.Chain.Count).OrderByDescending(static g => g.Key))
        {
            RetentionBackup[] members = [.. generation.Where(b => !stay.ContainsKey(b.Name))];
            if (members.Length == 0)
                continue;
            await lease.RequireHeldAsync(cancellationToken).ConfigureAwait(false);
            string[] markers = [.. members.Select(static b => RemovableBackup.MarkerOf(b.Name))];
            try
            {
                await repository.Store.DeleteAsync(markers, cancellationToken).ConfigureAwait(false);
            }
            catch (PgBackupException error) when (IsRefusal(error))
            {
                IReadOnlyList<Storage.StoredObject?> left = await repository.Store.StatAsync(markers, cancellationToken).ConfigureAwait(false);
                for (int i = 0; i < members.Length; i++)
                {
                    if (left[i] is not null)
                        stay[members[i].Name] = error.Message;
                }
                KeepChains(backups, stay);
            }
        }
        return stay;
    }

    /// <summary>Removes the objects of backups that exist no more, with their locks; a result for each.</summary>
    public async IAsyncEnumerable<(string Name, int Objects, PgBackupException? Failure)> ClearAsync(
        IReadOnlyList<string> names, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (string[] batch in names.Chunk(FoldersAtOnce))
        {
            await lease.RequireHeldAsync(cancellationToken).ConfigureAwait(false);
            (string, int, PgBackupException?)[] done = await Task.WhenAll(batch.Select(name => ClearAsync(name, cancellationToken))).ConfigureAwait(false);
            foreach ((string, int, PgBackupException?) item in done)
                yield return item;
        }
        await BackupLocks.DeleteAsync(repository, names, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Whether the store keeps what we wanted to delete, by its own rules or for want of a right, while it works as such.</summary>
    public static bool IsRefusal(PgBackupException error) => error.Id is "ObjectLocked" or "StorageAccessDenied" or "StorageDeletionIncomplete" or "DeletionDenied" or "DeletionIncomplete";

    private async Task<(string, int, PgBackupException?)> ClearAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            int objects = await RemovableBackup.ClearAsync(repository, name, cancellationToken).ConfigureAwait(false);
            log.Information($"The backup {name} was removed from '{repository.Location}'.");
            return (name, objects + 1, null);
        }
        catch (PgBackupException error) when (IsRefusal(error))
        {
            return (name, 1, error);
        }
    }

    /// <summary>Those that somebody locked since they were listed: a question may have stood open for hours.</summary>
    private async Task<Dictionary<string, string>> LockedSinceAsync(IReadOnlyCollection<RetentionBackup> backups, CancellationToken cancellationToken)
    {
        var locked = new Dictionary<string, string>(StringComparer.Ordinal);
        IReadOnlyDictionary<string, BackupLock> locks = await BackupLocks.ReadAsync(repository, cancellationToken).ConfigureAwait(false);
        var options = new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(backups, options, async (backup, token) =>
        {
            bool isPermanent = BackupName.TryParse(backup.Name, out BackupName? name)
                && await BackupDocuments.TryReadMetadataAsync(repository, name, token).ConfigureAwait(false) is { IsPermanent: true };
            bool isLocked = locks.TryGetValue(backup.Name, out BackupLock? held) && (held.Until is null || held.Until > DateTimeOffset.UtcNow);
            if (isPermanent || isLocked)
            {
                lock (locked)
                    locked[backup.Name] = "it was locked after it had been judged";
            }
        }).ConfigureAwait(false);
        return locked;
    }

    private static void KeepChains(IReadOnlyCollection<RetentionBackup> backups, Dictionary<string, string> stay)
    {
        foreach (RetentionBackup backup in backups.Where(b => stay.ContainsKey(b.Name)).ToArray())
        {
            foreach (string member in backup.Chain)
            {
                if (member != backup.Name)
                    stay.TryAdd(member, $"under {backup.Name}, which stays");
            }
        }
    }
}
