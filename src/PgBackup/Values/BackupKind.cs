namespace PgBackup;

/// <summary>What a backup is of.</summary>
public enum BackupKind
{
    /// <summary>A whole cluster's files: a base backup.</summary>
    Cluster,

    /// <summary>A database, or what all databases share: a logical backup.</summary>
    Database,

    /// <summary>The configuration around a database.</summary>
    Config,
}
