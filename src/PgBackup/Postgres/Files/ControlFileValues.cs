namespace PgBackup.Postgres.Files;

/// <summary>What reading the bytes of a control file came to.</summary>
public enum ControlFileStatus
{
    /// <summary>Read and checked.</summary>
    Valid,

    /// <summary>Fewer bytes than the structure has.</summary>
    TooShort,

    /// <summary>A layout that is not of PostgreSQL 13 to 18, or of a big-endian machine.</summary>
    VersionNotSupported,

    /// <summary>The checksum does not fit: damaged, or read while the server was writing it.</summary>
    ChecksumMismatch,

    /// <summary>The checksum fits, but a value is impossible.</summary>
    ContentInvalid,
}

/// <summary>PostgreSQL's <c>DBState</c> (pg_control.h).</summary>
public enum ClusterState
{
    /// <summary>Starting up.</summary>
    Startup = 0,

    /// <summary>Shut down cleanly.</summary>
    ShutDown = 1,

    /// <summary>Shut down cleanly while in recovery.</summary>
    ShutDownInRecovery = 2,

    /// <summary>Shutting down.</summary>
    ShuttingDown = 3,

    /// <summary>In crash recovery.</summary>
    InCrashRecovery = 4,

    /// <summary>In archive recovery; a standby too.</summary>
    InArchiveRecovery = 5,

    /// <summary>In production: running, or crashed while it ran.</summary>
    InProduction = 6,
}

/// <summary>PostgreSQL's <c>WalLevel</c> (xlog.h).</summary>
public enum WalLevel
{
    /// <summary>Enough for crash recovery only: neither archiving nor base backups.</summary>
    Minimal = 0,

    /// <summary>Enough for archiving and standbys.</summary>
    Replica = 1,

    /// <summary>Replica, and logical decoding.</summary>
    Logical = 2,
}
