using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Server;
using PgBackup.Postgres.Summaries;
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
/// <param name="Files">What it holds.</param>
internal sealed record DeltaParent(
    BackupName Name, IReadOnlyList<BackupName> Chain, Lsn StartLsn, Lsn FinishLsn, DateTimeOffset StartTime, bool IsOfThisHost, int NextCount, TimelineHistory History, ParentFiles Files)
{
    // How long the summarizer may stand still.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>The name of the full backup at the chain's root.</summary>
    public string FullName => Chain[0].Text;

    /// <summary>
    /// What speaks against the parent now that the backup has begun, in half a sentence: a standby begins at its last restartpoint, which may lie before the parent's end.
    /// </summary>
    public string? FaultAt(BackupStart start) =>
        start.Segment.Timeline != History.Timeline ? $"the server went from timeline {History.Timeline} to {start.Segment.Timeline} since it was chosen"
        : FinishLsn > start.Lsn ? $"it ended at {FinishLsn}, and this backup begins at {start.Lsn}; on a standby, wait for its next restartpoint (CHECKPOINT on the primary brings one)"
        : null;

    /// <summary>What the server's WAL summaries say has changed up to the start of a backup; without them the reason, as half a sentence.</summary>
    public async Task<(BlockChanges? Changes, string? Reason)> TryReadChangesAsync(ServerSession server, BackupStart start, IOperationLog log, CancellationToken cancellationToken)
    {
        (BlockChanges? changes, string? reason) = await WalSummaries.TryReadAsync(server, History, StartLsn, start.Lsn, s_patience, cancellationToken).ConfigureAwait(false);
        if (changes is not null)
            log.Verbose($"What changed since {Name} is taken from WAL summaries: {changes.RelationCount} relations.");
        return (changes, reason);
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
