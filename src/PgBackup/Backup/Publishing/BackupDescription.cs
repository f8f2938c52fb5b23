using PgBackup.Backup.Deltas;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Publishing;

/// <summary>What is known of a backup when it is published.</summary>
internal sealed record BackupFacts(
    BackupName Name,
    BackupStart Start,
    BackupStop Stop,
    DateTimeOffset FinishTime,
    BackupTarget Target,
    DeltaParent? Parent,
    long UncompressedBytes,
    long StoredBytes,
    long DataBytes,
    long CorruptPages,
    TablespaceMap Tablespaces);

/// <summary>Puts what is known of a backup into its documents.</summary>
internal static class BackupDescription
{
    public static ExtendedMetadata Metadata(BackupFacts facts, BackupOptions options) => new()
    {
        StartTime = facts.Start.Time,
        FinishTime = facts.FinishTime,
        DateFormat = BackupSentinel.DateFormatLiteral,
        HostName = facts.Target.Host ?? Environment.MachineName,
        DataDirectory = facts.Target.DataDirectory,
        PgVersion = facts.Target.VersionNumber,
        StartLsn = facts.Start.Lsn.Value,
        FinishLsn = facts.Stop.FinishLsn.Value,
        IsPermanent = options.IsPermanent,
        SystemIdentifier = facts.Target.Traits.SystemIdentifier,
        UncompressedSize = facts.UncompressedBytes,
        CompressedSize = facts.StoredBytes,
        UserData = options.UserData is { } data ? UserDataValue.ToJson(data) : null,
    };

    public static BackupSentinel Sentinel(BackupFacts facts, BackupOptions options, BackupRepository repository, bool hasConfiguration) => new()
    {
        StartLsn = facts.Start.Lsn.Value,
        DeltaLsn = facts.Parent?.StartLsn.Value,
        DeltaFrom = facts.Parent?.Name.Text,
        DeltaFullName = facts.Parent?.FullName,
        DeltaCount = facts.Parent?.NextCount,
        PgVersion = facts.Target.VersionNumber,
        FinishLsn = facts.Stop.FinishLsn.Value,
        SystemIdentifier = facts.Target.Traits.SystemIdentifier,
        UncompressedSize = facts.UncompressedBytes,
        CompressedSize = facts.StoredBytes,
        DataCatalogSize = facts.DataBytes,
        Spec = facts.Tablespaces.Entries.Count == 0
            ? null
            : new TablespaceSpec(facts.Target.DataDirectory, [.. facts.Tablespaces.Entries.Select(t => new BackupTablespace(t.Oid, t.Location))]),
        UserData = options.UserData is { } data ? UserDataValue.ToJson(data) : null,
        Version = 2,
        StartTime = facts.Start.Time,
        FinishTime = facts.FinishTime,
        DateFormat = BackupSentinel.DateFormatLiteral,
        HostName = facts.Target.Host ?? Environment.MachineName,
        DataDirectory = facts.Target.DataDirectory,
        IsPermanent = options.IsPermanent,
        PgBackup = new PgBackupSection
        {
            WrittenBy = ProgramIdentity.Text,
            IndexVersion = IndexHeader.CurrentVersion,
            Timeline = facts.Name.Segment.Timeline.Value,
            WalSegmentSize = facts.Target.Traits.WalSegmentSize.Bytes,
            Encrypted = repository.Key is not null,
            ChecksumsVerified = facts.Target.Traits.HasDataChecksums,
            CorruptPageCount = facts.CorruptPages,
            HasConfiguration = hasConfiguration,
            // A standby's clock says nothing of its primary's, by which transactions are timed. The WAL does.
            ConsistentTime = facts.Target.IsStandby ? null : facts.Stop.FinishTime,
        },
    };
}
