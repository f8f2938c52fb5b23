using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;

namespace PgBackup.Backup.Deltas;

/// <summary>Says whether a delta of a running cluster can rest on a backup, or what speaks against it.</summary>
internal sealed class ParentJudge(BackupRepository repository, IClusterSource source, IReadOnlyList<ClusterBackup> catalog)
{
    private TimelineHistory? _history;

    /// <summary>The repository's backups.</summary>
    public IReadOnlyList<ClusterBackup> Catalog { get; } = catalog;

    /// <summary>The parent, or in half a sentence why it is none.</summary>
    public async Task<(DeltaParent? Parent, string? Fault)> TryAsync(ClusterBackup backup, int count, CancellationToken cancellationToken)
    {
        if (backup.Status != BackupStatus.Complete)
            return (null, backup.Problem?.TrimEnd('.') ?? "it is not complete");
        (TimelineHistory? history, string? unknown) = await HistoryAsync(cancellationToken).ConfigureAwait(false);
        if (history is null)
            return (null, unknown);
        if (FindChainFault(backup, history) is { } fault)
            return (null, fault);

        BackupName[] chain = [.. backup.Chain.Select(static n => BackupName.TryParse(n, out BackupName? name) ? name : throw new FormatException(n))];
        try
        {
            ControlFile control = await BackupMembers.ReadControlFileAsync(repository, chain[^1], cancellationToken).ConfigureAwait(false);
            // pg_checksums writes into pages without moving their LSNs.
            if (control.HasDataChecksums != source.Target.Traits.HasDataChecksums)
                return (null, "data checksums have been switched since it was taken");
            var files = new ParentFiles();
            foreach (BackupName name in chain)
            {
                bool isParent = name == chain[^1];
                bool hasList = false;
                await BackupPartsProof.RequireAsync(
                    repository, name, isTarget: isParent, static _ => { },
                    file =>
                    {
                        hasList = true;
                        if (isParent)
                            files.Add(file);
                    },
                    cancellationToken).ConfigureAwait(false);
                // wal-g rests on none without it, and permanent marks are kept there.
                if (await BackupDocuments.TryReadMetadataAsync(repository, name, cancellationToken).ConfigureAwait(false) is null)
                    return (null, $"'{name}' has no metadata.json");
                if (name != chain[0] && !hasList)
                    return (null, $"the list of the files of '{name}' (files_metadata.json) is missing");
            }
            return files.Count == 0
                ? (null, "the list of its files (files_metadata.json) is missing")
                : (new DeltaParent(
                    chain[^1], chain, backup.StartLsn!.Value, backup.FinishLsn!.Value, backup.StartTime!.Value, backup.HostName == Environment.MachineName, count, history, files), null);
        }
        catch (PgBackupException error) when (error.Id is "ObjectMissing" or "BackupDamaged" or "DocumentInvalid" or "ControlFileInvalid" or "ControlFileVersionNotSupported")
        {
            return (null, error.Message.TrimEnd('.'));
        }
    }

    /// <summary>What speaks against any link of the chain: wal-g takes deltas without looking at most of it.</summary>
    private string? FindChainFault(ClusterBackup backup, TimelineHistory history)
    {
        ClusterBackup? child = null;
        foreach (string name in backup.Chain.Reverse())
        {
            ClusterBackup link = Catalog.First(b => b.Name == name);
            string? fault = FindPlainFault(link) ?? FindBranchFault(link, history);
            if (fault is null && child is not null && link.FinishLsn > child.StartLsn)
                fault = $"it ended at {link.FinishLsn}, after '{child.Name}' on it had begun at {child.StartLsn}";
            if (fault is not null)
                return child is null ? fault : $"its chain rests on '{name}', and {fault}";
            child = link;
        }
        return null;
    }

    private string? FindPlainFault(ClusterBackup backup)
    {
        if (backup.SystemIdentifier != source.Target.Traits.SystemIdentifier)
            return backup.SystemIdentifier is null ? "it does not say of which cluster it is" : $"it is of another cluster (system identifier {backup.SystemIdentifier})";
        if (backup is not { StartLsn: not null, FinishLsn: not null, StartTime: not null })
            return "it does not say where it begins and ends";
        return backup.Sentinel?.FilesMetadataDisabled == true ? "it was taken without the list of its files" : null;
    }

    private static string? FindBranchFault(ClusterBackup backup, TimelineHistory history)
    {
        if (history.Includes(backup.Timeline, backup.FinishLsn!.Value))
            return null;
        return history.SwitchPointOf(backup.Timeline) is { } left
            ? $"it lies on an abandoned branch: it ended at {backup.FinishLsn} on timeline {backup.Timeline}, which this server left at {left}"
            : $"it lies on timeline {backup.Timeline}, which is no ancestor of this server's timeline {history.Timeline}";
    }

    /// <summary>The server's history: as it has it itself, held against what it has archived; else as it was archived.</summary>
    private async Task<(TimelineHistory? History, string? Fault)> HistoryAsync(CancellationToken cancellationToken)
    {
        if (_history is not null)
            return (_history, null);
        TimelineId timeline = source.Target.Timeline;
        if (timeline == TimelineId.First)
            return (_history = TimelineHistory.WithoutAncestors(timeline), null);
        TimelineHistory? own = await source.ReadHistoryAsync(cancellationToken).ConfigureAwait(false);
        TimelineHistory? archived;
        try
        {
            archived = await WalArchive.ReadHistoryAsync(repository, timeline, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id is "TimelineHistoryInvalid" or "ObjectDamaged")
        {
            return (null, error.Message.TrimEnd('.'));
        }
        if (own is not null && archived is not null && !SameWay(own, archived))
            return (null, $"the history of timeline {timeline} in the repository is another one than this server's: two branches bear one number");
        _history = own ?? archived;
        return _history is null ? (null, $"the history of timeline {timeline} is neither in pg_wal nor in the repository") : (_history, null);
    }

    // The reasons are prose.
    private static bool SameWay(TimelineHistory one, TimelineHistory other) =>
        one.Switches.Select(static s => (s.Parent, s.SwitchPoint)).SequenceEqual(other.Switches.Select(static s => (s.Parent, s.SwitchPoint)));
}
