using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.WalRecords;
using PgBackup.Repository;
using PgBackup.Repository.Pieces;

namespace PgBackup.Wal.Integrity;

/// <summary>What a repository holds of one cluster's log, and the backups that need it.</summary>
internal sealed class ClusterLog
{
    private const int HistoriesAtOnce = 8;

    private readonly Dictionary<TimelineId, TimelineHistory> _histories = [];
    private readonly List<WalFault> _historyFaults = [];

    /// <summary>The repository.</summary>
    public required BackupRepository Repository { get; init; }

    /// <summary>The cluster; null when nothing tells.</summary>
    public required ulong? SystemIdentifier { get; init; }

    /// <summary>The cluster's complete backups, oldest first; none where only its log is archived.</summary>
    public required IReadOnlyList<ClusterBackup> Backups { get; init; }

    /// <summary>What the archive holds of its log.</summary>
    public required WalInventory Inventory { get; init; }

    /// <summary>The size of its segments.</summary>
    public required WalSegmentSize SegmentSize { get; init; }

    /// <summary>History files that cannot be read, or contradict each other.</summary>
    public IReadOnlyList<WalFault> HistoryFaults => _historyFaults;

    /// <summary>
    /// The logs of all clusters in the repository, the one that was added last at the end. With one listing, and a few small objects for each timeline and each backup.
    /// </summary>
    public static async Task<IReadOnlyList<ClusterLog>> ReadAllAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        await RepositoryEncryption.ProveAsync(repository, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<ClusterBackup> catalog = await BackupCatalog.ListAsync(repository, cancellationToken).ConfigureAwait(false);
        WalInventory inventory = await WalInventory.LoadAsync(repository, cancellationToken).ConfigureAwait(false);
        IGrouping<ulong?, ClusterBackup>[] clusters = [.. catalog.Where(IsUsable).GroupBy(b => b.SystemIdentifier)];
        HashSet<ulong> known = [.. clusters.Select(c => c.Key).OfType<ulong>()];
        foreach (var identity in await RepositoryIdentity.ListAsync(repository, cancellationToken).ConfigureAwait(false))
            known.Add(identity.SystemIdentifier);
        WalLineages lineages = await WalLineages.ReadAsync(repository, inventory, known, cancellationToken).ConfigureAwait(false);
        if (known.Count == 0 && lineages.Writers.Count > 1)
            lineages = await WalLineages.ReadAsync(repository, inventory, lineages.Writers, cancellationToken).ConfigureAwait(false);

        var logs = new List<ClusterLog>();
        foreach (IGrouping<ulong?, ClusterBackup> cluster in clusters.OrderBy(c => c.Max(b => b.StartTime)))
        {
            ClusterBackup[] backups = [.. cluster];
            logs.Add(new ClusterLog
            {
                Repository = repository,
                SystemIdentifier = cluster.Key,
                Backups = backups,
                Inventory = cluster.Key is { } own ? lineages.Of(own).WithPiecesOf(own) : inventory,
                SegmentSize = await ClusterWal.SegmentSizeAsync(repository, backups, cancellationToken).ConfigureAwait(false),
            });
        }
        await AddWithoutBackupsAsync(repository, inventory, lineages, logs, cancellationToken).ConfigureAwait(false);
        await AddInPiecesAsync(repository, inventory, lineages, logs, cancellationToken).ConfigureAwait(false);
        await ReadHistoriesAsync(repository, inventory, lineages, logs, cancellationToken).ConfigureAwait(false);
        return logs;
    }

    /// <summary>The history of a timeline; without a file it has no ancestors.</summary>
    public TimelineHistory HistoryOf(TimelineId timeline) => _histories.GetValueOrDefault(timeline) ?? TimelineHistory.WithoutAncestors(timeline);

    /// <summary>Whether what the archive knows of the timeline is enough to follow it.</summary>
    public bool HasHistory(TimelineId timeline) => timeline == TimelineId.First || _histories.ContainsKey(timeline);

    /// <summary>Every timeline that has a history, segments or backups, newest first.</summary>
    public IReadOnlyList<TimelineId> Timelines() =>
        [.. _histories.Keys.Concat(Backups.Select(b => b.Timeline)).Concat(Inventory.TimelinesWithPieces).Distinct().OrderDescending()];

    /// <summary>True when the archive holds something of the timeline, or a backup was taken on it; a history file alone tells of a server that may be gone.</summary>
    public bool IsAlive(TimelineId timeline) => Inventory.NewestOf(timeline, SegmentSize) is not null || Backups.Any(b => b.Timeline == timeline);

    /// <summary>The backups that can be rolled forward along a history, oldest first.</summary>
    public IReadOnlyList<ClusterBackup> BackupsOn(TimelineHistory history) =>
        [.. Backups.Where(b => history.Includes(b.Timeline, b.FinishLsn!.Value)).OrderBy(b => b.StartLsn!.Value).ThenBy(b => b.FinishLsn!.Value)];

    // After pg_upgrade or initdb the new cluster archives before its first backup has ended.
    private static async Task AddWithoutBackupsAsync(
        BackupRepository repository, WalInventory inventory, WalLineages lineages, List<ClusterLog> logs, CancellationToken cancellationToken)
    {
        foreach (ulong writer in lineages.Writers.Order())
        {
            // Backups that do not say whose they are have taken the whole archive for theirs.
            if (logs.Exists(l => l.SystemIdentifier == writer || l.SystemIdentifier is null))
                continue;
            WalInventory own = lineages.Of(writer).WithPiecesOf(writer);
            foreach (TimelineId timeline in own.Timelines.Reverse())
            {
                string key = own.KeyAt(timeline, own.CountOf(timeline) - 1);
                if (await WalArchive.TryReadHeaderAsync(repository, key, cancellationToken).ConfigureAwait(false) is not { } header || header.SystemIdentifier != writer)
                    continue;
                logs.Add(new ClusterLog { Repository = repository, SystemIdentifier = writer, Backups = [], Inventory = own, SegmentSize = header.SegmentSize });
                break;
            }
        }
        // Nothing can be read that would tell whose it is, nor how long its segments are.
        if (logs.Count == 0 && inventory.Timelines.Any())
            logs.Add(new ClusterLog { Repository = repository, SystemIdentifier = null, Backups = [], Inventory = inventory, SegmentSize = WalSegmentSize.Default });
    }

    // Of a cluster of which a receiver has just begun to get the log there is no whole segment yet; the heads of the pieces tell how long one is.
    private static async Task AddInPiecesAsync(
        BackupRepository repository, WalInventory inventory, WalLineages lineages, List<ClusterLog> logs, CancellationToken cancellationToken)
    {
        foreach (IGrouping<ulong, WalTail> cluster in inventory.Tails.GroupBy(t => t.SystemIdentifier).OrderBy(c => c.Max(t => t.Modified)))
        {
            if (logs.Exists(l => l.SystemIdentifier == cluster.Key || l.SystemIdentifier is null))
                continue;
            foreach (WalTail tail in cluster.OrderByDescending(t => t.Segment))
            {
                if (await WalPieceReader.FindSizeAsync(repository, tail.SystemIdentifier, tail.Segment, cancellationToken).ConfigureAwait(false) is not { } size)
                    continue;
                WalInventory own = lineages.Of(cluster.Key).WithPiecesOf(cluster.Key);
                logs.Add(new ClusterLog { Repository = repository, SystemIdentifier = cluster.Key, Backups = [], Inventory = own, SegmentSize = size });
                break;
            }
        }
    }

    private static async Task ReadHistoriesAsync(
        BackupRepository repository, WalInventory inventory, WalLineages lineages, List<ClusterLog> logs, CancellationToken cancellationToken)
    {
        var read = new TimelineHistory?[inventory.Histories.Count];
        var faults = new WalFault?[read.Length];
        var options = new ParallelOptions { MaxDegreeOfParallelism = HistoriesAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, read.Length, options, async (i, token) =>
        {
            try
            {
                read[i] = await WalArchive.ReadHistoryAsync(repository, inventory.Histories[i], token).ConfigureAwait(false);
            }
            catch (PgBackupException error) when (error.Id is "TimelineHistoryInvalid" or "ObjectDamaged" or "EncryptionKeyInvalid")
            {
                faults[i] = FaultOf(inventory.Histories[i], error.Message);
            }
        }).ConfigureAwait(false);
        foreach (ClusterLog log in logs)
        {
            log._historyFaults.AddRange(faults.OfType<WalFault>());
            foreach (TimelineHistory history in read.OfType<TimelineHistory>())
            {
                if (log.SystemIdentifier is not { } own || lineages.MayBeOf(own, history, log.SegmentSize))
                    log._histories[history.Timeline] = history;
            }
            log.CompareHistories();
        }
    }

    // What a history says of an ancestor is what the ancestor's own file says, or one of the two is of another cluster.
    private void CompareHistories()
    {
        foreach (TimelineHistory history in _histories.Values.OrderBy(h => h.Timeline))
        {
            for (int i = 0; i < history.Switches.Count; i++)
            {
                if (_histories.TryGetValue(history.Switches[i].Parent, out TimelineHistory? parent) && !SamePoints(parent.Switches, history.Switches.Take(i)))
                    _historyFaults.Add(FaultOf(history.Timeline, $"it tells another past of timeline {parent.Timeline} than {parent.Timeline.HistoryFileName} does."));
            }
        }
    }

    private static bool SamePoints(IReadOnlyList<TimelineSwitch> own, IEnumerable<TimelineSwitch> told) =>
        own.Select(s => (s.Parent, s.SwitchPoint)).SequenceEqual(told.Select(s => (s.Parent, s.SwitchPoint)));

    private static WalFault FaultOf(TimelineId timeline, string message) => new()
    {
        Name = timeline.HistoryFileName,
        Key = RepositoryLayout.WalFolder + timeline.HistoryFileName,
        Message = message,
        Recommendation = "Bring the file back from pg_wal of the server or of a standby, with Push-PgWal, after the object was moved away.",
    };

    private static bool IsUsable(ClusterBackup backup) => backup is { Status: BackupStatus.Complete, StartLsn: not null, FinishLsn: not null };
}
