using PgBackup.Errors;
using PgBackup.Repository;
using PgBackup.Repository.Documents;
using PgBackup.Restore.Fetching;

namespace PgBackup.Restore.Planning;

/// <summary>What is known of a backup once its chain was proven complete.</summary>
/// <param name="Chain">The names, the full backup first.</param>
/// <param name="TablespaceBytes">The bytes of each tablespace by OID; empty when no index tells them.</param>
internal sealed record ProvenBackup(IReadOnlyList<BackupName> Chain, IReadOnlyDictionary<string, long> TablespaceBytes);

/// <summary>Proves before a restore that every object of a chain is there, with the size that the index says, and that the lists of files fit together.</summary>
internal static class BackupProof
{
    private const int MembersAtOnce = 4;

    /// <summary>Throws <c>ChainBroken</c>, <c>ObjectMissing</c>, <c>BackupDamaged</c>, <c>DocumentInvalid</c>, <c>EncryptionKeyInvalid</c>.</summary>
    public static async Task<ProvenBackup> RequireAsync(
        BackupRepository repository, ClusterBackup backup, IReadOnlyList<ClusterBackup> catalog, CancellationToken cancellationToken)
    {
        if (backup.Status != BackupStatus.Complete)
            throw PgErrors.ChainBroken(repository.Location, backup.Name, backup.Problem ?? "it is not complete.");
        var chain = new List<BackupName>();
        var bytes = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (string text in backup.Chain)
        {
            if (!BackupName.TryParse(text, out BackupName? name) || catalog.FirstOrDefault(b => b.Name == text) is not { } member)
                throw PgErrors.ChainBroken(repository.Location, backup.Name, $"'{text}' is not in the repository.");
            if (member.SystemIdentifier is { } other && backup.SystemIdentifier is { } own && other != own)
                throw PgErrors.ChainBroken(repository.Location, backup.Name, $"'{text}' is of another cluster ({other} instead of {own}).");
            chain.Add(name);
        }
        var options = new ParallelOptions { MaxDegreeOfParallelism = MembersAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(chain, options, async (name, token) =>
            await BackupPartsProof.RequireAsync(repository, name, name.Text == backup.Name, member => AddTablespaceBytes(bytes, member), token).ConfigureAwait(false)).ConfigureAwait(false);
        if (chain.Count > 1)
            await WantedFiles.ReadAsync(repository, chain, cancellationToken).ConfigureAwait(false);
        return new ProvenBackup(chain, bytes);
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
