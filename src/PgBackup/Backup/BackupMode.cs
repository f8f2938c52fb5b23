namespace PgBackup.Backup;

/// <summary>How the data of a backup is got.</summary>
public enum BackupMode
{
    /// <summary>From the data directory where it lies on this host and can be read, else from the server.</summary>
    Auto,

    /// <summary>From the data directory on this host.</summary>
    Local,

    /// <summary>From the server, by the replication protocol.</summary>
    Remote,
}
