using System.Globalization;

namespace PgBackup.Restore.Fetching;

/// <summary>A tablespace of the restored cluster and the folder that holds it.</summary>
/// <param name="Oid">Its OID, the name of its link in <c>pg_tblspc</c>.</param>
/// <param name="Source">Where it lay when the backup was taken.</param>
/// <param name="Target">Where it will lie.</param>
public sealed record RestoredTablespace(uint Oid, string Source, string Target)
{
    /// <summary>True when it will lie elsewhere than it did.</summary>
    public bool IsMapped => !string.Equals(Source, Target, StringComparison.Ordinal);

    /// <summary>The version of the cluster's catalogues, which its own folder in <see cref="Target"/> is named by; null when it is not known: then every version's is taken for its own.</summary>
    public uint? CatalogVersion { get; init; }

    /// <summary>
    /// Whether an entry of <see cref="Target"/> is the cluster's own: of a tablespace's folder a server has only <c>PG_15_202209061</c> (relpath.h,
    /// TABLESPACE_VERSION_DIRECTORY). Beside it may lie other versions' after pg_upgrade, and whatever others have put there.
    /// </summary>
    public bool Owns(string entry) =>
        IsVersion(entry) && (CatalogVersion is not { } version || entry.EndsWith(string.Create(CultureInfo.InvariantCulture, $"_{version}"), StringComparison.Ordinal));

    /// <summary>True for the folder of another version's cluster.</summary>
    public bool IsOfAnotherVersion(string entry) => IsVersion(entry) && !Owns(entry);

    private static bool IsVersion(string entry) => entry.StartsWith("PG_", StringComparison.Ordinal);
}
