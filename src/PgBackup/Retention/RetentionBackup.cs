using System.Globalization;
using PgBackup.Repository.Dumps;

namespace PgBackup.Retention;

/// <summary>What retention has to know of a backup, whatever it is of.</summary>
public sealed record RetentionBackup
{
    /// <summary>The name, unique in the repository.</summary>
    public required string Name { get; init; }

    /// <summary>What it is of.</summary>
    public required BackupKind Kind { get; init; }

    /// <summary>Policies are applied to each group for itself: a cluster's base backups, a database's dumps of one kind.</summary>
    public required string Group { get; init; }

    /// <summary>The cluster; null where the backup does not say, and for dumps.</summary>
    public ulong? SystemIdentifier { get; init; }

    /// <summary>In what state it is.</summary>
    public required BackupStatus Status { get; init; }

    /// <summary>Why it is not complete.</summary>
    public string? Problem { get; init; }

    /// <summary>When it began, as it was recorded.</summary>
    public DateTimeOffset? StartTime { get; init; }

    /// <summary>When it ended, as it was recorded.</summary>
    public DateTimeOffset? FinishTime { get; init; }

    /// <summary>Whether it stands alone: a full base backup, any dump.</summary>
    public required bool IsFull { get; init; }

    /// <summary>The chain's names as far as they are known, the full backup first, this one last.</summary>
    public required IReadOnlyList<string> Chain { get; init; }

    /// <summary>The timeline it was taken on.</summary>
    public TimelineId Timeline { get; init; } = TimelineId.First;

    /// <summary>Where replay begins.</summary>
    public Lsn? StartLsn { get; init; }

    /// <summary>Where it becomes consistent.</summary>
    public Lsn? FinishLsn { get; init; }

    /// <summary>Whether it bears wal-g's permanent mark, or a lock without an end.</summary>
    public bool IsPermanent { get; init; }

    /// <summary>Until when it is locked.</summary>
    public DateTimeOffset? LockedUntil { get; init; }

    /// <summary>The stored bytes, as far as they are known.</summary>
    public long? Size { get; init; }

    /// <summary>Why it stays whatever the policy says, where somebody said so in this run; null for all else.</summary>
    internal string? HeldBack { get; init; }

    /// <summary>Whether it can be restored from.</summary>
    internal bool IsGood => Status == BackupStatus.Complete && StartTime is not null;

    /// <summary>What retention has to know of a base backup.</summary>
    public static RetentionBackup Of(ClusterBackup backup) => new()
    {
        Name = backup.Name,
        Kind = BackupKind.Cluster,
        Group = backup.SystemIdentifier is { } cluster ? string.Create(CultureInfo.InvariantCulture, $"cluster {cluster}") : "cluster of unknown identity",
        SystemIdentifier = backup.SystemIdentifier,
        Status = backup.Status,
        Problem = backup.Problem,
        StartTime = backup.StartTime,
        FinishTime = backup.FinishTime,
        IsFull = backup.Type == BackupType.Full,
        Chain = backup.Chain.Count > 0 ? backup.Chain : [backup.Name],
        Timeline = backup.Timeline,
        StartLsn = backup.StartLsn,
        FinishLsn = backup.FinishLsn,
        IsPermanent = backup.IsPermanent,
        LockedUntil = backup.LockedUntil,
        Size = backup.Size?.Bytes,
    };

    /// <summary>What retention has to know of a dump. A dump of a part stands for no whole one, nor for one of another part.</summary>
    public static RetentionBackup Of(DatabaseBackup backup) => new()
    {
        Name = backup.Name,
        Kind = BackupKind.Database,
        Group = GroupOf(backup),
        Status = backup.Status,
        Problem = backup.Problem,
        StartTime = backup.StartTime,
        FinishTime = backup.FinishTime,
        IsFull = true,
        Chain = [backup.Name],
        IsPermanent = backup.IsPermanent,
        LockedUntil = backup.LockedUntil,
        Size = backup.Size?.Bytes,
    };

    private static string GroupOf(DatabaseBackup backup)
    {
        string what = backup.Content == DumpContent.Globals ? "globals" : $"database {backup.Database}";
        DumpManifest? manifest = backup.Manifest;
        string part = manifest is null ? "" : (manifest.SchemaOnly ? ", schema only" : "") + (manifest.DataOnly ? ", data only" : "") + (manifest.IsFiltered ? ", in part" : "");
        return $"{what} on {backup.Server}{part}";
    }
}
