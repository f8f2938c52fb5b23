using PgBackup.Postgres.Server;

namespace PgBackup.Backup;

/// <summary>What a base backup is asked to do.</summary>
public sealed record BackupOptions
{
    /// <summary>The server to back up.</summary>
    public required ServerConnectionSettings Server { get; init; }

    /// <summary>Its data directory as this host sees it; null for what the server says.</summary>
    public string? DataDirectory { get; init; }

    /// <summary>Whether the files are read here or sent by the server.</summary>
    public BackupMode Mode { get; init; }

    /// <summary>Full, delta, or whichever is right.</summary>
    public BackupTypeRequest Type { get; init; }

    /// <summary>The name of the parent; null for the newest backup.</summary>
    public string? DeltaFrom { get; init; }

    /// <summary>How many deltas may follow a full backup before <see cref="BackupTypeRequest.Auto"/> takes a full one again.</summary>
    public int DeltaMaxSteps { get; init; }

    /// <summary>On which backup of the newest chain a delta rests.</summary>
    public DeltaOrigin DeltaOrigin { get; init; }

    /// <summary>The label that pg_backup_start is given; shown in backup_label and in the server's log.</summary>
    public string Label { get; init; } = "PgBackup";

    /// <summary>Whether the server may take its time for the checkpoint; by default it is asked to hurry.</summary>
    public bool SpreadCheckpoint { get; init; }

    /// <summary>How many frames are read and compressed at once; null for the number of cores.</summary>
    public int? ThrottleLimit { get; init; }

    /// <summary>The bytes that may be read a second; null for no bound.</summary>
    public ByteSize? RateLimit { get; init; }

    /// <summary>Whether retention must leave the backup alone.</summary>
    public bool IsPermanent { get; init; }

    /// <summary>What is kept along with the backup: text, number, list or dictionary.</summary>
    public object? UserData { get; init; }

    /// <summary>Whether a cluster that the repository does not know is meant to be kept in it.</summary>
    public bool NewLineage { get; init; }

    /// <summary>How long to wait for the backup's WAL to arrive in the repository.</summary>
    public TimeSpan ArchiveTimeout { get; init; } = TimeSpan.FromMinutes(10);
}
