using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Restore.Fetching;

namespace PgBackup.Restore.Planning;

/// <summary>What is known of a backup once its chain was proven complete.</summary>
/// <param name="Chain">The names, the full backup first.</param>
/// <param name="TablespaceBytes">The bytes of each tablespace by OID; empty when no index tells them.</param>
/// <param name="Warnings">What could not be proven.</param>
internal sealed record ProvenBackup(IReadOnlyList<BackupName> Chain, IReadOnlyDictionary<string, long> TablespaceBytes, IReadOnlyList<string> Warnings);

/// <summary>Proves before a restore that every object of a chain is there, with the size that the index says, and that the lists of files fit together.</summary>
internal static class BackupProof
{
    private const int MembersAtOnce = 4;

    /// <summary>Throws <c>ChainBroken</c>, <c>ObjectMissing</c>, <c>BackupDamaged</c>, <c>DocumentInvalid</c>, <c>EncryptionKeyInvalid</c>.</summary>
    public static async Task<ProvenBackup> RequireAsync(
        BackupRepository repository, ClusterBackup backup, IReadOnlyList<ClusterBackup> catalog, ClusterPast past, CancellationToken cancellationToken)
    {
        if (backup.Status != BackupStatus.Complete)
            throw PgErrors.ChainBroken(repository.Location, backup.Name, backup.Problem ?? "it is not complete.");
        var chain = new List<BackupName>();
        var members = new List<ClusterBackup>();
        var warnings = new List<string>();
        var bytes = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (string text in backup.Chain)
        {
            if (!BackupName.TryParse(text, out BackupName? name) || catalog.FirstOrDefault(b => b.Name == text) is not { } member)
                throw PgErrors.ChainBroken(repository.Location, backup.Name, $"'{text}' is not in the repository.");
            if (member.SystemIdentifier is { } other && backup.SystemIdentifier is { } own && other != own)
                throw PgErrors.ChainBroken(repository.Location, backup.Name, $"'{text}' is of another cluster ({other} instead of {own}).");
            chain.Add(name);
            members.Add(member);
        }
        for (int i = 1; i < members.Count; i++)
            RequireOneHistory(past, members[i - 1], members[i], warnings);
        var options = new ParallelOptions { MaxDegreeOfParallelism = MembersAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(chain, options, async (name, token) =>
            await BackupPartsProof.RequireAsync(repository, name, name.Text == backup.Name, member => AddTablespaceBytes(bytes, member), static _ => { }, token).ConfigureAwait(false)).ConfigureAwait(false);
        if (chain.Count > 1)
            await WantedFiles.ReadAsync(repository, chain, cancellationToken).ConfigureAwait(false);
        return new ProvenBackup(chain, bytes, warnings);
    }

    /// <summary>
    /// A delta holds what changed since its parent began, so the parent has to lie in the delta's own past. wal-g looks at neither of these: it writes, and restores, deltas on a
    /// parent of a branch that was abandoned by a point-in-time recovery, and the rows of the dead branch are there again.
    /// </summary>
    private static void RequireOneHistory(ClusterPast past, ClusterBackup parent, ClusterBackup child, List<string> warnings)
    {
        string location = past.Repository.Location;
        if (parent.FinishLsn is not { } finish || child.StartLsn is not { } start)
            return;
        if (finish > start)
        {
            throw PgErrors.ChainBroken(
                location, child.Name, $"it began at {start}, before its parent '{parent.Name}' had ended at {finish}: what changed in between may be in neither.");
        }
        if (parent.Timeline == child.Timeline)
            return;
        TimelineHistory? history = past.HasHistory(child.Timeline) ? past.HistoryOf(child.Timeline) : null;
        if (history is null && child.Timeline > parent.Timeline)
        {
            warnings.Add($"Whether '{parent.Name}' (timeline {parent.Timeline}) lies in the past of '{child.Name}' (timeline {child.Timeline}) cannot be told: "
                + $"the archive lacks {child.Timeline.HistoryFileName}.");
            return;
        }
        if (history is null || !history.Includes(parent.Timeline, finish))
        {
            string left = history?.SwitchPointOf(parent.Timeline) is { } point ? $"left timeline {parent.Timeline} at {point}" : $"never was on timeline {parent.Timeline}";
            throw PgErrors.ChainBroken(
                location, child.Name,
                $"its parent '{parent.Name}' ended at {finish} on timeline {parent.Timeline}, but the delta's own timeline {child.Timeline} {left}: the chain mixes two histories of the cluster.");
        }
    }

    private static void AddTablespaceBytes(Dictionary<string, long> bytes, IndexedMember member)
    {
        const string Prefix = "/pg_tblspc/";
        if (!member.Name.StartsWith(Prefix, StringComparison.Ordinal) || member.Name.IndexOf('/', Prefix.Length) is not (> 0 and var end))
            return;
        string oid = member.Name[Prefix.Length..end];
        lock (bytes)
            bytes[oid] = bytes.GetValueOrDefault(oid) + member.Size;
    }
}
