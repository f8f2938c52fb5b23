using PgBackup.Storage;

namespace PgBackup.Copy;

/// <summary>A backup that was proven whole in the source, and what of it has to go over.</summary>
internal sealed class PlannedBackup
{
    /// <summary>Its name.</summary>
    public required BackupName Name { get; init; }

    /// <summary>What the source's catalogue says.</summary>
    public required ClusterBackup Backup { get; init; }

    /// <summary>Its sentinel's object.</summary>
    public required StoredObject Sentinel { get; init; }

    /// <summary>The sentinel.</summary>
    public required byte[] SentinelContent { get; init; }

    /// <summary>Its objects but for <c>metadata.json</c> and the sentinel.</summary>
    public required IReadOnlyList<StoredObject> Files { get; init; }

    /// <summary><c>metadata.json</c>, which goes right before the sentinel; old backups of wal-g have none.</summary>
    public required StoredObject? Metadata { get; init; }

    /// <summary>The objects of the WAL archive that it needs: its segments with what stands beside them, and the histories of its timelines.</summary>
    public required IReadOnlyList<StoredObject> Wal { get; init; }

    /// <summary>Its first segment, as the archive's listing orders them.</summary>
    public required ulong FirstNumber { get; init; }

    /// <summary>Whether the destination lists it already.</summary>
    public bool IsPublished { get; set; }

    /// <summary>What of <see cref="Files"/> is not known to be in the destination.</summary>
    public IReadOnlyList<StoredObject> PendingFiles { get; set; } = [];

    /// <summary>Whether <see cref="Metadata"/> has to go over.</summary>
    public bool IsMetadataPending { get; set; }

    /// <summary>What of <see cref="Wal"/> is not in the destination.</summary>
    public IReadOnlyList<StoredObject> PendingWal { get; set; } = [];

    /// <summary>With the history: up to where the WAL behind it goes along with it, the number before the next backup's first.</summary>
    public ulong? TailEnd { get; set; }

    /// <summary>How many objects will go over, those that an earlier backup of the plan takes over not counted.</summary>
    public int ObjectCount { get; set; }

    /// <summary>Their bytes.</summary>
    public ByteSize Size { get; set; }

    /// <summary>How many objects are there already.</summary>
    public int SkippedCount { get; set; }

    /// <summary>Whether nothing has to be done.</summary>
    public bool IsPresent => IsPublished && ObjectCount == 0;
}
