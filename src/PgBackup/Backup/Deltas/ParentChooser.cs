using PgBackup.Errors;
using PgBackup.Repository;

namespace PgBackup.Backup.Deltas;

/// <summary>
/// Finds the backup that a delta can rest on. A delta on a wrong parent restores without a complaint, and wrongly: what cannot be proven of a parent speaks against it.
/// </summary>
internal static class ParentChooser
{
    /// <summary>
    /// For <see cref="BackupTypeRequest.Auto"/>: the newest backup of the cluster, or none, with the reason. For <see cref="BackupTypeRequest.Delta"/>: the newest that is
    /// sound. Throws <c>BackupNotFound</c>, <c>ParentNotUsable</c>, <c>NoParent</c>.
    /// </summary>
    public static async Task<ParentChoice> ChooseAsync(
        BackupRepository repository, BackupOptions options, IClusterSource source, IOperationLog log, CancellationToken cancellationToken)
    {
        if (options.Type == BackupTypeRequest.Full)
            return new ParentChoice(null, null);
        IReadOnlyList<ClusterBackup> catalog = await ListAsync(repository, cancellationToken).ConfigureAwait(false);
        var judge = new ParentJudge(repository, source, catalog);
        if (options.DeltaFrom is { } given)
        {
            ClusterBackup named = catalog.FirstOrDefault(b => b.Name == given) ?? throw PgErrors.BackupNotFound(given, repository.Location);
            return await ChooseOneAsync(judge, named, options, cancellationToken).ConfigureAwait(false);
        }

        // By start, not by name: timelines and lineages mix in names.
        List<ClusterBackup> candidates =
        [
            .. catalog
                .Where(b => b.Status is BackupStatus.Complete or BackupStatus.Damaged && (b.SystemIdentifier is null || b.SystemIdentifier == source.Target.Traits.SystemIdentifier))
                .OrderByDescending(b => b.StartTime),
        ];
        if (candidates.Count == 0)
        {
            const string Nothing = "the repository holds no backup of this cluster yet";
            return options.Type == BackupTypeRequest.Auto ? new ParentChoice(null, Nothing) : throw PgErrors.NoParent(repository.Location, Nothing);
        }
        if (options.Type == BackupTypeRequest.Auto)
            return await ChooseOneAsync(judge, candidates[0], options, cancellationToken).ConfigureAwait(false);

        string? first = null;
        foreach (ClusterBackup candidate in candidates)
        {
            (DeltaParent? parent, string? fault) = await judge.TryAsync(OriginOf(candidate, catalog, options.DeltaOrigin), CountOf(candidate) + 1, cancellationToken).ConfigureAwait(false);
            if (parent is not null)
                return new ParentChoice(parent, first is null ? null : $"the newest backup that it can rest on is {parent.Name}; {first}");
            log.Verbose($"No delta can rest on '{candidate.Name}': {fault}.");
            first ??= $"'{candidate.Name}' was passed over: {fault}";
        }
        throw PgErrors.NoParent(repository.Location, first!);
    }

    private static async Task<ParentChoice> ChooseOneAsync(ParentJudge judge, ClusterBackup candidate, BackupOptions options, CancellationToken cancellationToken)
    {
        int count = CountOf(candidate) + 1;
        bool isAuto = options.Type == BackupTypeRequest.Auto;
        if (isAuto && count > options.DeltaMaxSteps)
        {
            return new ParentChoice(null, options.DeltaMaxSteps == 0
                ? "deltas are switched off (0 steps)"
                : $"the chain of '{candidate.Name}' holds {count - 1} deltas, and {options.DeltaMaxSteps} is the limit");
        }
        ClusterBackup origin = OriginOf(candidate, judge.Catalog, options.DeltaOrigin);
        (DeltaParent? parent, string? fault) = await judge.TryAsync(origin, count, cancellationToken).ConfigureAwait(false);
        if (parent is not null)
            return new ParentChoice(parent, isAuto ? $"delta {count} of at most {options.DeltaMaxSteps}" : null);
        return isAuto ? new ParentChoice(null, $"no delta can rest on '{origin.Name}': {fault}") : throw PgErrors.ParentNotUsable(origin.Name, fault! + ".");
    }

    private static async Task<IReadOnlyList<ClusterBackup>> ListAsync(BackupRepository repository, CancellationToken cancellationToken)
    {
        try
        {
            return await BackupCatalog.ListAsync(repository, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "RepositoryNotFound")
        {
            return []; // The first backup makes it.
        }
    }

    private static ClusterBackup OriginOf(ClusterBackup candidate, IReadOnlyList<ClusterBackup> catalog, DeltaOrigin origin) =>
        origin == DeltaOrigin.LatestFull && candidate.Chain is [var root, ..] ? catalog.FirstOrDefault(b => b.Name == root) ?? candidate : candidate;

    // wal-g counts on from the newest backup even when the delta rests on its full one.
    private static int CountOf(ClusterBackup backup) => backup.Sentinel?.DeltaCount ?? Math.Max(0, backup.Chain.Count - 1);
}
