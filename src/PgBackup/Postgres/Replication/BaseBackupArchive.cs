namespace PgBackup.Postgres.Replication;

/// <summary>A tablespace of a base backup.</summary>
/// <param name="Oid">Its object id; null for the main data directory.</param>
/// <param name="Location">The path on the server's host; null for the main data directory.</param>
/// <param name="Size">Its estimated size in bytes; null when that was not asked for.</param>
public sealed record BaseBackupTablespace(uint? Oid, string? Location, long? Size);

/// <summary>One of the streams that a base backup consists of.</summary>
/// <param name="Tablespace">The tablespace whose tar archive it is; null for the manifest.</param>
/// <param name="Content">The plain bytes, to be read to their end before the next archive is asked for.</param>
public sealed record BaseBackupArchive(BaseBackupTablespace? Tablespace, Stream Content)
{
    /// <summary>True for <c>backup_manifest</c>.</summary>
    public bool IsManifest => Tablespace is null;
}

/// <summary>Where a base backup ended.</summary>
/// <param name="Lsn">The position up to which its WAL is needed.</param>
/// <param name="Timeline">The timeline at the end.</param>
/// <param name="DamagedPages">The server found pages whose checksum is wrong, and said which in warnings.</param>
public sealed record BaseBackupEnd(Lsn Lsn, TimelineId Timeline, bool DamagedPages);

/// <summary>What IDENTIFY_SYSTEM says.</summary>
/// <param name="SystemIdentifier">The cluster.</param>
/// <param name="Timeline">The current timeline.</param>
/// <param name="FlushLsn">The position up to which WAL is flushed.</param>
public sealed record SystemIdentity(ulong SystemIdentifier, TimelineId Timeline, Lsn FlushLsn);
