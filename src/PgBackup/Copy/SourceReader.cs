using System.Globalization;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Storage;

namespace PgBackup.Copy;

/// <summary>Finds what a backup consists of in the source, and proves that it is all there.</summary>
internal sealed class SourceReader
{
    private readonly BackupRepository _source;
    private readonly IReadOnlyList<ClusterBackup> _catalog;
    private readonly WalListing _wal;
    private readonly IOperationLog _log;
    private readonly Dictionary<ulong, WalSegmentSize> _segmentSizes = [];
    private readonly Dictionary<TimelineId, TimelineHistory> _histories = [];
    private readonly SemaphoreSlim _one = new(1);

    /// <param name="source">The repository; its key is used where it is given, and not needed.</param>
    /// <param name="catalog">Its backups.</param>
    /// <param name="wal">Its archive.</param>
    /// <param name="log">Where decisions go.</param>
    public SourceReader(BackupRepository source, IReadOnlyList<ClusterBackup> catalog, WalListing wal, IOperationLog log)
    {
        _source = source;
        _catalog = catalog;
        _wal = wal;
        _log = log;
    }

    /// <summary>
    /// The backup, proven by itself, its parents not. Throws <c>ChainBroken</c>, <c>ObjectMissing</c>, <c>BackupDamaged</c>, <c>WalGapDetected</c>, <c>DocumentInvalid</c>,
    /// <c>ObjectNotFound</c>, <c>EncryptionKeyInvalid</c>.
    /// </summary>
    public async Task<PlannedBackup> ReadAsync(ClusterBackup backup, StoredObject? sentinel, CancellationToken cancellationToken)
    {
        if (backup.Status != BackupStatus.Complete || !BackupName.TryParse(backup.Name, out BackupName? name) || sentinel is null)
            throw PgErrors.ChainBroken(_source.Location, backup.Name, backup.Problem ?? "it is not complete.");
        byte[] content = await _source.Store.TryReadAllAsync(sentinel.Value.Key, cancellationToken).ConfigureAwait(false)
            ?? throw PgErrors.ObjectNotFound(_source.Location, sentinel.Value.Key);
        await BackupPartsProof.RequireAsync(_source, name, isTarget: true, static _ => { }, static _ => { }, cancellationToken).ConfigureAwait(false);
        var files = new List<StoredObject>();
        StoredObject? metadata = null;
        string metadataKey = RepositoryLayout.MetadataKey(name);
        await foreach (StoredObject item in _source.Store.ListAsync(RepositoryLayout.FolderOf(name), recursive: true, cancellationToken).ConfigureAwait(false))
        {
            if (item.Key == metadataKey)
                metadata = item;
            else
                files.Add(item);
        }
        files.Sort(static (a, b) => string.CompareOrdinal(a.Key, b.Key));
        WalSegmentSize size = await SegmentSizeAsync(backup, cancellationToken).ConfigureAwait(false);
        return new PlannedBackup
        {
            Name = name,
            Backup = backup,
            Sentinel = sentinel.Value,
            SentinelContent = content,
            Files = files,
            Metadata = metadata,
            Wal = await WalAsync(backup, size, cancellationToken).ConfigureAwait(false),
            FirstNumber = WalListing.NumberOf(WalSegmentName.Containing(backup.Timeline, backup.StartLsn!.Value, size)),
        };
    }

    /// <summary>
    /// The first segment behind the backup's own that is not there although later ones of the same timeline are; null when the log goes on to its end.
    /// </summary>
    public async Task<string?> GapBehindAsync(ClusterBackup backup, CancellationToken cancellationToken)
    {
        WalSegmentSize size = await SegmentSizeAsync(backup, cancellationToken).ConfigureAwait(false);
        ulong last = 0;
        foreach (WalItem item in _wal.Between(backup.Timeline, 0, ulong.MaxValue))
            last = item.Number;
        ulong end = ((last >> 32) * size.SegmentsPerLogId) + (uint)last;
        for (ulong number = size.SegmentNumberOf(backup.FinishLsn!.Value - 1) + 1; number < end; number++)
        {
            WalSegmentName segment = WalSegmentName.Of(backup.Timeline, number, size);
            if (!_wal.Holds(segment, size))
                return segment.ToString();
        }
        return null;
    }

    /// <summary>What the backup needs to become consistent: the segments from its start to its finish, and the histories that lead to its timeline.</summary>
    private async Task<IReadOnlyList<StoredObject>> WalAsync(ClusterBackup backup, WalSegmentSize size, CancellationToken cancellationToken)
    {
        TimelineHistory history = await HistoryAsync(backup.Timeline, cancellationToken).ConfigureAwait(false);
        var found = new List<StoredObject>();
        ulong last = size.SegmentNumberOf(backup.FinishLsn!.Value - 1);
        for (ulong number = size.SegmentNumberOf(backup.StartLsn!.Value); number <= last; number++)
        {
            WalSegmentName segment = history.SegmentFor(number, size);
            if (!_wal.Holds(segment, size))
                throw PgErrors.CopyWalMissing(_source.Location, segment.ToString(), backup.Name);
            ulong place = WalListing.NumberOf(segment);
            foreach (WalItem item in _wal.Between(segment.Timeline, place, place))
                found.Add(_wal.ObjectOf(item));
        }
        // Those of the timelines before it belong to its past or do no harm, and which they are need not be decoded to be known.
        foreach (StoredObject file in _wal.Histories.Values)
        {
            if (WalListing.TimelineOfHistory(file.Key) <= backup.Timeline)
                found.Add(file);
        }
        return found;
    }

    private async Task<WalSegmentSize> SegmentSizeAsync(ClusterBackup backup, CancellationToken cancellationToken)
    {
        ulong cluster = backup.SystemIdentifier ?? 0;
        await _one.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_segmentSizes.TryGetValue(cluster, out WalSegmentSize known))
                return known;
            ClusterBackup[] backups = [.. _catalog.Where(b => b.Status == BackupStatus.Complete && (b.SystemIdentifier ?? 0) == cluster)];
            return _segmentSizes[cluster] = await ClusterWal.SegmentSizeAsync(_source, backups, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<TimelineHistory> HistoryAsync(TimelineId timeline, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_histories.TryGetValue(timeline, out TimelineHistory? known))
                return known;
            TimelineHistory? history = null;
            try
            {
                history = await WalArchive.ReadHistoryAsync(_source, timeline, cancellationToken).ConfigureAwait(false);
            }
            catch (PgBackupException error) when (!_source.IsEncrypted && error.Id is "ObjectDamaged" or "TimelineHistoryInvalid" or "EncryptionKeyInvalid")
            {
                // Encrypted, and the key is not here. A backup's own WAL lies on its own timeline but for backups of a standby that has just changed over.
                _log.Verbose(string.Create(CultureInfo.InvariantCulture, $"The history of timeline {timeline} cannot be read without the key: {error.Message}"));
            }
            return _histories[timeline] = history ?? TimelineHistory.WithoutAncestors(timeline);
        }
        finally
        {
            _one.Release();
        }
    }
}
