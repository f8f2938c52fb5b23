using PgBackup.Postgres.Files;
using PgBackup.Repository;

namespace PgBackup.Restore.Planning;

/// <summary>Everything that the repository knows of one cluster's past: its backups, its timelines, its WAL.</summary>
internal sealed class ClusterPast
{
    private readonly Dictionary<TimelineId, TimelineHistory> _histories = [];

    private ClusterPast(BackupRepository repository, IReadOnlyList<ClusterBackup> backups, WalInventory inventory, WalSegmentSize segmentSize)
    {
        Repository = repository;
        Backups = backups;
        Inventory = inventory;
        SegmentSize = segmentSize;
    }

    /// <summary>The repository.</summary>
    public BackupRepository Repository { get; }

    /// <summary>The cluster's complete backups, oldest first.</summary>
    public IReadOnlyList<ClusterBackup> Backups { get; }

    /// <summary>What the archive holds of its log.</summary>
    public WalInventory Inventory { get; }

    /// <summary>The size of the cluster's segments.</summary>
    public WalSegmentSize SegmentSize { get; }

    /// <summary>The cluster; null for backups that do not say.</summary>
    public ulong? SystemIdentifier => Backups.Count == 0 ? null : Backups[^1].SystemIdentifier;

    /// <summary>
    /// Reads the past of every cluster in the repository: more than one where a lineage ended (pg_upgrade) and another began. Each has its own log and its own
    /// history files, whatever the others' are called.
    /// </summary>
    public static async Task<IReadOnlyList<ClusterPast>> ReadAllAsync(BackupRepository repository, IReadOnlyList<ClusterBackup> catalog, CancellationToken cancellationToken)
    {
        WalInventory inventory = await WalInventory.LoadAsync(repository, cancellationToken).ConfigureAwait(false);
        IGrouping<ulong?, ClusterBackup>[] clusters = [.. catalog.Where(IsUsable).GroupBy(b => b.SystemIdentifier)];
        var known = clusters.Select(c => c.Key).OfType<ulong>().ToHashSet();
        WalLineages lineages = await WalLineages.ReadAsync(repository, inventory, known, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<TimelineHistory> histories = await WalArchive.ReadHistoriesAsync(repository, inventory, cancellationToken).ConfigureAwait(false);
        var pasts = new List<ClusterPast>();
        foreach (IGrouping<ulong?, ClusterBackup> cluster in clusters)
        {
            ClusterBackup[] backups = [.. cluster];
            WalSegmentSize size = await ClusterWal.SegmentSizeAsync(repository, backups, cancellationToken).ConfigureAwait(false);
            var past = new ClusterPast(repository, backups, cluster.Key is { } own ? lineages.Of(own).WithPiecesOf(own) : inventory, size);
            foreach (TimelineHistory history in histories)
            {
                if (cluster.Key is not { } identifier || lineages.MayBeOf(identifier, history, size))
                    past._histories[history.Timeline] = history;
            }
            pasts.Add(past);
        }
        return pasts;
    }

    /// <summary>The history of a timeline; without a file it has no ancestors (which is so of the first, and of all that the archive knows of others).</summary>
    public TimelineHistory HistoryOf(TimelineId timeline) => _histories.GetValueOrDefault(timeline) ?? TimelineHistory.WithoutAncestors(timeline);

    /// <summary>Whether the archive holds the timeline's history file, without which no server follows it (but from a backup of that timeline).</summary>
    public bool HasHistory(TimelineId timeline) => timeline == TimelineId.First || _histories.ContainsKey(timeline);

    /// <summary>Every timeline that has a history, segments or backups, newest first.</summary>
    public IReadOnlyList<TimelineId> Timelines() =>
        [.. _histories.Keys.Concat(Backups.Select(b => b.Timeline)).Concat(Inventory.TimelinesWithPieces).Distinct().OrderDescending()];

    /// <summary>The backups from which recovery along a history can begin, oldest first.</summary>
    public IReadOnlyList<ClusterBackup> BackupsOn(TimelineHistory history) =>
        [.. Backups.Where(b => history.Includes(b.Timeline, b.FinishLsn!.Value)).OrderBy(b => b.FinishLsn!.Value).ThenBy(b => b.StartLsn!.Value)];

    /// <summary>
    /// True for a timeline that nothing but its history file tells of, while the log that it branched off goes on, or ends in the segment where it was left: what a cluster that is gone has left, or a server that was
    /// promoted and never archived.
    /// </summary>
    public bool IsDeadEnd(TimelineHistory history)
    {
        if (history.Switches.Count == 0 || Inventory.NewestOf(history.Timeline, SegmentSize) is not null || Backups.Any(b => b.Timeline == history.Timeline))
            return false;
        for (int i = history.Switches.Count - 1; i >= 0; i--)
        {
            TimelineSwitch step = history.Switches[i];
            if (Inventory.NewestOf(step.Parent, SegmentSize) is { } segment)
                return segment.NumberFor(SegmentSize) >= SegmentSize.SegmentNumberOf(step.SwitchPoint);
            if (Backups.Any(b => b.Timeline == step.Parent))
                return false;
        }
        return false;
    }

    /// <summary>Up to where there are pieces of the segment in which a timeline was left, where they end before that or there; null where its log goes on.</summary>
    public Lsn? EndBefore(TimelineSwitch left)
    {
        var segment = WalSegmentName.Containing(left.Parent, left.SwitchPoint, SegmentSize);
        return Inventory.NewestOf(left.Parent, SegmentSize) == segment && Inventory.TailOf(segment) is { } tail
            && segment.StartFor(SegmentSize) + (ulong)tail.Length is var end && end <= left.SwitchPoint ? end : null;
    }

    /// <summary>The WAL along a history.</summary>
    public WalPath PathOf(TimelineHistory history) => new(Inventory, history, SegmentSize);

    private static bool IsUsable(ClusterBackup backup) => backup is { Status: BackupStatus.Complete, StartLsn: not null, FinishLsn: not null };
}
