using PgBackup.Postgres.Files;

namespace PgBackup.Postgres.WalRecords;

/// <summary>What a <see cref="WalRecordReader"/> reads.</summary>
public sealed record WalReadOptions
{
    /// <summary>The cluster's segment size.</summary>
    public required WalSegmentSize SegmentSize { get; init; }

    /// <summary>The timelines to follow; segments with a switch point are taken from the new one.</summary>
    public required TimelineHistory History { get; init; }

    /// <summary>Where to start; see <see cref="StartsAtRecord"/>.</summary>
    public required Lsn Start { get; init; }

    /// <summary>
    /// True when a record starts at <see cref="Start"/> (a redo point, a checkpoint; a page's first byte stands for its first record). Otherwise the
    /// first record that starts there or later is looked for, as for a segment's start.
    /// </summary>
    public bool StartsAtRecord { get; init; }

    /// <summary>Records that start here or later are not read.</summary>
    public Lsn? StopAt { get; init; }

    /// <summary>The cluster that must have written the segments; when null, the first segment decides.</summary>
    public ulong? SystemIdentifier { get; init; }

    /// <summary>The kinds that are handed out; the others are checked all the same.</summary>
    public WalRecordKinds Kinds { get; init; } = WalRecordKinds.Decoded;
}
