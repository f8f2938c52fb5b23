using System.Reflection;
using PgBackup.Postgres.Files;
using PgBackup.Repository;
using PgBackup.Repository.Documents;

namespace PgBackup.Backup.Publishing;

/// <summary>What is known of a backup when it is published.</summary>
internal sealed record BackupFacts(
    BackupName Name,
    Lsn StartLsn,
    DateTimeOffset StartTime,
    BackupStop Stop,
    DateTimeOffset FinishTime,
    ControlFile Control,
    BackupTarget Target,
    long UncompressedBytes,
    long StoredBytes,
    long DataBytes,
    long CorruptPages,
    TablespaceMap Tablespaces);

/// <summary>Puts what is known of a backup into its documents.</summary>
internal static class BackupDescription
{
    /// <summary>The program that writes the documents: PgBackup and its version.</summary>
    public static readonly string Writer =
        "PgBackup " + typeof(BackupDescription).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    public static ExtendedMetadata Metadata(BackupFacts facts, BackupOptions options) => new()
    {
        StartTime = facts.StartTime,
        FinishTime = facts.FinishTime,
        DateFormat = BackupSentinel.DateFormatLiteral,
        HostName = Environment.MachineName,
        DataDirectory = facts.Target.DataDirectory,
        PgVersion = facts.Target.VersionNumber,
        StartLsn = facts.StartLsn.Value,
        FinishLsn = facts.Stop.FinishLsn.Value,
        IsPermanent = options.IsPermanent,
        SystemIdentifier = facts.Control.SystemIdentifier,
        UncompressedSize = facts.UncompressedBytes,
        CompressedSize = facts.StoredBytes,
        UserData = options.UserData is { } data ? UserDataValue.ToJson(data) : null,
    };

    public static BackupSentinel Sentinel(BackupFacts facts, BackupOptions options, BackupRepository repository, bool hasConfiguration) => new()
    {
        StartLsn = facts.StartLsn.Value,
        PgVersion = facts.Target.VersionNumber,
        FinishLsn = facts.Stop.FinishLsn.Value,
        SystemIdentifier = facts.Control.SystemIdentifier,
        UncompressedSize = facts.UncompressedBytes,
        CompressedSize = facts.StoredBytes,
        DataCatalogSize = facts.DataBytes,
        Spec = facts.Tablespaces.Entries.Count == 0
            ? null
            : new TablespaceSpec(facts.Target.DataDirectory, [.. facts.Tablespaces.Entries.Select(t => new BackupTablespace(t.Oid, t.Location))]),
        UserData = options.UserData is { } data ? UserDataValue.ToJson(data) : null,
        Version = 2,
        StartTime = facts.StartTime,
        FinishTime = facts.FinishTime,
        DateFormat = BackupSentinel.DateFormatLiteral,
        HostName = Environment.MachineName,
        DataDirectory = facts.Target.DataDirectory,
        IsPermanent = options.IsPermanent,
        PgBackup = new PgBackupSection
        {
            WrittenBy = Writer,
            IndexVersion = IndexHeader.CurrentVersion,
            Timeline = facts.Name.Segment.Timeline.Value,
            WalSegmentSize = facts.Control.WalSegmentSize.Bytes,
            Encrypted = repository.Key is not null,
            ChecksumsVerified = facts.Control.HasDataChecksums,
            CorruptPageCount = facts.CorruptPages,
            HasConfiguration = hasConfiguration,
            ConsistentTime = facts.Stop.FinishTime,
        },
    };
}
