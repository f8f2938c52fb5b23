using System.Formats.Tar;
using System.Text;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Restore.Fetching;
using PgBackup.Storage;

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

    /// <summary>What the archive holds.</summary>
    public WalInventory Inventory { get; }

    /// <summary>The size of the cluster's segments.</summary>
    public WalSegmentSize SegmentSize { get; }

    /// <summary>The cluster.</summary>
    public ulong? SystemIdentifier => Backups.Count == 0 ? null : Backups[^1].SystemIdentifier;

    /// <summary>
    /// Reads the past of every cluster in the repository: more than one where a lineage ended (pg_upgrade) and another began.
    /// </summary>
    public static async Task<IReadOnlyList<ClusterPast>> ReadAllAsync(BackupRepository repository, IReadOnlyList<ClusterBackup> catalog, CancellationToken cancellationToken)
    {
        WalInventory inventory = await WalInventory.LoadAsync(repository, cancellationToken).ConfigureAwait(false);
        var pasts = new List<ClusterPast>();
        foreach (IGrouping<ulong?, ClusterBackup> cluster in catalog.Where(IsUsable).GroupBy(b => b.SystemIdentifier))
        {
            ClusterBackup[] backups = [.. cluster];
            var past = new ClusterPast(repository, backups, inventory, await SegmentSizeAsync(repository, backups, cancellationToken).ConfigureAwait(false));
            foreach (TimelineId timeline in inventory.Histories)
            {
                if (await past.ReadHistoryAsync(timeline, cancellationToken).ConfigureAwait(false) is { } history)
                    past._histories[timeline] = history;
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
        [.. _histories.Keys.Concat(Backups.Select(b => b.Timeline)).Concat(Inventory.Timelines).Distinct().OrderDescending()];

    /// <summary>The backups from which recovery along a history can begin, oldest first.</summary>
    public IReadOnlyList<ClusterBackup> BackupsOn(TimelineHistory history) =>
        [.. Backups.Where(b => history.Includes(b.Timeline, b.FinishLsn!.Value)).OrderBy(b => b.FinishLsn!.Value).ThenBy(b => b.StartLsn!.Value)];

    /// <summary>The WAL along a history.</summary>
    public WalPath PathOf(TimelineHistory history) => new(Inventory, history, SegmentSize);

    /// <summary>The control file of a backup. Throws <c>ObjectMissing</c>, <c>BackupDamaged</c>, <c>EncryptionKeyInvalid</c>.</summary>
    public static async Task<ControlFile> ReadControlFileAsync(BackupRepository repository, BackupName name, CancellationToken cancellationToken)
    {
        BackupParts parts = await BackupParts.ListAsync(repository, name, cancellationToken).ConfigureAwait(false);
        parts.Require(repository.Location, isTarget: true);
        string key = parts.Control!.Value.Key;
        byte[]? content = await ReadMemberAsync(repository, name, key, "global/pg_control", cancellationToken).ConfigureAwait(false);
        return content is null
            ? throw PgErrors.BackupDamaged(repository.Location, name.Text, $"'{key}' does not hold global/pg_control.")
            : ControlFile.Parse(content, key);
    }

    /// <summary>A small member of a part; null when it is not there.</summary>
    public static async Task<byte[]?> ReadMemberAsync(BackupRepository repository, BackupName name, string key, string relative, CancellationToken cancellationToken)
    {
        try
        {
            Stream decoded = await repository.OpenDecodedAsync(key, cancellationToken).ConfigureAwait(false);
            await using (decoded.ConfigureAwait(false))
            {
                var reader = new TarReader(decoded, leaveOpen: true);
                await using (reader.ConfigureAwait(false))
                {
                    while (await reader.GetNextEntryAsync(copyData: false, cancellationToken).ConfigureAwait(false) is { } entry)
                    {
                        if (entry.DataStream is null || entry.Length > 1 << 20 || RestoreDestination.Normalize(entry.Name) != relative)
                            continue;
                        byte[] content = new byte[entry.Length];
                        await entry.DataStream.ReadExactlyAsync(content, cancellationToken).ConfigureAwait(false);
                        return content;
                    }
                }
            }
            return null;
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException or FormatException or PgBackupException { Id: "ObjectDamaged" })
        {
            throw PgErrors.BackupDamaged(repository.Location, name.Text, $"{key}: {error.Message}", error);
        }
    }

    private static bool IsUsable(ClusterBackup backup) => backup is { Status: BackupStatus.Complete, StartLsn: not null, FinishLsn: not null };

    // A backup that is damaged must not hide the others: any of them tells.
    private static async Task<WalSegmentSize> SegmentSizeAsync(BackupRepository repository, IReadOnlyList<ClusterBackup> backups, CancellationToken cancellationToken)
    {
        PgBackupException? failure = null;
        for (int i = backups.Count - 1; i >= 0; i--)
        {
            BackupName.TryParse(backups[i].Name, out BackupName? name);
            try
            {
                BackupSentinel sentinel = await BackupDocuments.ReadSentinelAsync(repository, RepositoryLayout.SentinelKey(name!), cancellationToken).ConfigureAwait(false);
                if (sentinel.PgBackup?.WalSegmentSize is { } bytes && WalSegmentSize.IsValid(bytes))
                    return new WalSegmentSize(bytes);
                return (await ReadControlFileAsync(repository, name!, cancellationToken).ConfigureAwait(false)).WalSegmentSize;
            }
            catch (PgBackupException error) when (error.Id is "ObjectMissing" or "BackupDamaged" or "ControlFileInvalid" or "DocumentInvalid")
            {
                failure ??= error;
            }
        }
        throw failure!;
    }

    private async Task<TimelineHistory?> ReadHistoryAsync(TimelineId timeline, CancellationToken cancellationToken)
    {
        WalFileName.TryParse(timeline.HistoryFileName, out WalFileName? file);
        IReadOnlyList<ArchivedWalFile> found = await WalArchive.FindAsync(Repository, file!, cancellationToken).ConfigureAwait(false);
        if (found.Count == 0)
            return null;
        Stream source = await Repository.OpenDecodedAsync(found[0].Object.Key, cancellationToken).ConfigureAwait(false);
        await using (source.ConfigureAwait(false))
        {
            using var reader = new StreamReader(source, Encoding.UTF8);
            return TimelineHistory.Parse(timeline, await reader.ReadToEndAsync(cancellationToken).ConfigureAwait(false));
        }
    }
}
