using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Deltas;

/// <summary>The backup that a delta rests on, proven sound when it was chosen.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Chain">The names of its chain, the full backup first, its own last.</param>
/// <param name="StartLsn">Where its replay begins: what changed from here on goes into the delta.</param>
/// <param name="FinishLsn">Where it ended.</param>
/// <param name="StartTime">When it began, by the server's clock.</param>
/// <param name="IsOfThisHost">Whether it was taken here, so that times of files can be held against its own.</param>
/// <param name="NextCount">The place of the delta in WAL-G's count.</param>
/// <param name="History">The history of the server's timeline, on which the parent lies.</param>
/// <param name="LogsHints">Whether checksums or wal_log_hints were on when it was taken.</param>
/// <param name="Files">What it holds.</param>
internal sealed record DeltaParent(
    BackupName Name, IReadOnlyList<BackupName> Chain, Lsn StartLsn, Lsn FinishLsn, DateTimeOffset StartTime, bool IsOfThisHost, int NextCount, TimelineHistory History, bool LogsHints, ParentFiles Files)
{
    /// <summary>The name of the full backup at the chain's root.</summary>
    public string FullName => Chain[0].Text;

    /// <summary>Proves that the delta began behind the parent and on the history that the parent was held against. Throws <c>ParentNotUsable</c>, <c>TimelineChanged</c>.</summary>
    public void RequireBefore(BackupStart start)
    {
        if (start.Segment.Timeline != History.Timeline)
            throw PgErrors.TimelineChanged("of this run", History.Timeline, start.Segment.Timeline);
        if (FinishLsn > start.Lsn)
            throw PgErrors.ParentNotUsable(Name.Text, $"it ended at {FinishLsn}, and the server is only at {start.Lsn}: it is older than the backup.");
    }

    /// <summary>
    /// Proves that the chain has not been deleted meanwhile; and keeps it from retention when the delta is to be kept from it, as wal-g does.
    /// Throws <c>ParentGone</c>.
    /// </summary>
    public async Task RequireThereAsync(BackupRepository repository, bool markPermanent, CancellationToken cancellationToken)
    {
        foreach (BackupName name in Chain)
        {
            if (await repository.Store.StatAsync(RepositoryLayout.SentinelKey(name), cancellationToken).ConfigureAwait(false) is null)
                throw PgErrors.ParentGone(name.Text, repository.Location);
            if (!markPermanent)
                continue;
            ExtendedMetadata? metadata = await BackupDocuments.TryReadMetadataAsync(repository, name, cancellationToken).ConfigureAwait(false);
            if (metadata is { IsPermanent: not true })
                await BackupDocuments.WriteMetadataAsync(repository, name, metadata with { IsPermanent = true }, cancellationToken).ConfigureAwait(false);
        }
    }
}

/// <summary>What a backup will be.</summary>
/// <param name="Parent">What it rests on; null for a full one.</param>
/// <param name="Reason">Why, where it was left to us; null otherwise.</param>
internal sealed record ParentChoice(DeltaParent? Parent, string? Reason);
