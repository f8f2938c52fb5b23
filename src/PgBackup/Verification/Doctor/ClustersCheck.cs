using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Verification.Doctor;

/// <summary>
/// Which clusters have written here, by the identities that PgBackup recorded, by the backups, and by the first page of some WAL. Two that take turns
/// overwrite each other's WAL: segments of all clusters have the same names.
/// </summary>
internal static class ClustersCheck
{
    public static async Task<CheckFinding> RunAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        IReadOnlyList<ClusterIdentity> recorded = await RepositoryIdentity.ListAsync(context.Repository, cancellationToken).ConfigureAwait(false);
        ulong[] backups = [.. (await context.BackupsAsync(cancellationToken).ConfigureAwait(false)).Newest.Select(b => b.Sentinel.SystemIdentifier ?? 0).Where(id => id != 0)];
        IReadOnlyList<ulong> wal = await WalAsync(context, cancellationToken).ConfigureAwait(false);
        ulong[] seen = [.. backups.Concat(wal).Distinct()];
        ulong[] all = [.. recorded.Select(r => r.SystemIdentifier).Concat(seen).Distinct()];
        string names = string.Join(", ", all);

        if (all.Length == 0)
            return CheckFinding.Passed("No cluster has written here yet.");
        if (TakeTurns(backups) || wal.Distinct().Count() > 1)
        {
            return CheckFinding.Failed(
                $"More than one cluster writes here, in turns: system identifiers {names}. They overwrite each other's WAL.",
                "Give each cluster a repository of its own: another prefix, another folder. Then take a new full backup of each.");
        }
        ulong[] unrecorded = [.. seen.Where(id => recorded.All(r => r.SystemIdentifier != id))];
        if (all.Length > 1 && unrecorded.Length > 0)
        {
            return CheckFinding.Warning(
                $"More than one cluster has written here: system identifiers {names}; nobody has said that {string.Join(", ", unrecorded)} belongs here.",
                "If the cluster was made anew (pg_upgrade, initdb) and goes on here, run Backup-PgCluster once with -NewLineage; else give it another repository.");
        }
        return CheckFinding.Passed(all.Length == 1
            ? $"All that is here belongs to the cluster {names}."
            : $"{all.Length} clusters, one after the other, as was said with -NewLineage: system identifiers {names}.");
    }

    /// <summary>True when a cluster comes again after another: that is no upgrade.</summary>
    private static bool TakeTurns(ReadOnlySpan<ulong> inOrder)
    {
        var ended = new HashSet<ulong>();
        for (int i = 1; i < inOrder.Length; i++)
        {
            if (inOrder[i] == inOrder[i - 1])
                continue;
            ended.Add(inOrder[i - 1]);
            if (ended.Contains(inOrder[i]))
                return true;
        }
        return false;
    }

    /// <summary>The clusters that the newest segments name. One that cannot be read says nothing here: the key has a check of its own.</summary>
    private static async Task<IReadOnlyList<ulong>> WalAsync(DoctorContext context, CancellationToken cancellationToken)
    {
        var found = new List<ulong>();
        foreach (ArchivedWalFile item in (await context.WalAsync(cancellationToken).ConfigureAwait(false)).NewestSegments)
        {
            if (await WalArchive.TryReadHeaderAsync(context.Repository, item.Object.Key, cancellationToken).ConfigureAwait(false) is { } header)
                found.Add(header.SystemIdentifier);
        }
        return found;
    }
}
