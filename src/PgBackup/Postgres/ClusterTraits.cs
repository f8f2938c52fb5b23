using PgBackup.Postgres.Files;

namespace PgBackup.Postgres;

/// <summary>What a running server cannot change of its cluster, from its control file or from <c>pg_control_system()</c> and <c>pg_control_init()</c>.</summary>
/// <param name="SystemIdentifier">The cluster's identity.</param>
/// <param name="WalSegmentSize">The size of its WAL segments.</param>
/// <param name="HasDataChecksums">Whether its data pages carry checksums.</param>
/// <param name="BlockSize">The bytes of a data page.</param>
/// <param name="BlocksPerSegment">The pages in one file of a big relation.</param>
public sealed record ClusterTraits(ulong SystemIdentifier, WalSegmentSize WalSegmentSize, bool HasDataChecksums, int BlockSize, int BlocksPerSegment)
{
    /// <summary>The traits that a control file tells.</summary>
    public static ClusterTraits Of(ControlFile control) => new(
        control.SystemIdentifier, control.WalSegmentSize, control.HasDataChecksums, control.BlockSize, control.BlocksPerSegment);
}
