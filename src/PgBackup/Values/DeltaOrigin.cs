namespace PgBackup;

/// <summary>On which backup of a chain the next delta rests (wal-g's WALG_DELTA_ORIGIN).</summary>
public enum DeltaOrigin
{
    /// <summary>On the newest: each delta holds what changed since the one before.</summary>
    Latest,

    /// <summary>On the newest one's full backup: each delta holds what changed since that.</summary>
    LatestFull,
}
