using System.Text.Json;
using System.Text.Json.Serialization;

namespace PgBackup.Repository.Documents;

/// <summary>
/// The sentinel of a base backup: WAL-G's <c>BackupSentinelDtoV2</c> and, under <see cref="PgBackup"/>, what only we write. Members are nullable
/// because readers meet the documents of many versions.
/// </summary>
public sealed record BackupSentinel
{
    /// <summary>The literal that WAL-G writes beside times.</summary>
    public const string DateFormatLiteral = "%Y-%m-%dT%H:%M:%S.%fZ";

    /// <summary>The backup's start LSN.</summary>
    [JsonPropertyName("LSN")]
    public ulong? StartLsn { get; init; }

    /// <summary>The parent's start LSN; deltas only.</summary>
    [JsonPropertyName("DeltaLSN"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ulong? DeltaLsn { get; init; }

    /// <summary>What <see cref="DeltaLsn"/> was called before WAL-G 0.3; read, never written.</summary>
    [JsonPropertyName("DeltaFromLSN"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ulong? LegacyDeltaLsn { get; init; }

    /// <summary>The parent's name; deltas only.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? DeltaFrom { get; init; }

    /// <summary>The name of the full backup at the chain's root; deltas only.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? DeltaFullName { get; init; }

    /// <summary>1 for the first delta on a full backup, then one more each.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? DeltaCount { get; init; }

    /// <summary>The server's <c>server_version_num</c>.</summary>
    public int? PgVersion { get; init; }

    /// <summary>The LSN at which the backup ended; the cluster is consistent from here on.</summary>
    [JsonPropertyName("FinishLSN")]
    public ulong? FinishLsn { get; init; }

    /// <summary>The cluster's system identifier.</summary>
    public ulong? SystemIdentifier { get; init; }

    /// <summary>The bytes of all tar members.</summary>
    public long? UncompressedSize { get; init; }

    /// <summary>The bytes of all parts as stored.</summary>
    public long? CompressedSize { get; init; }

    /// <summary>The bytes of the data directory.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? DataCatalogSize { get; init; }

    /// <summary>The tablespaces.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public TablespaceSpec? Spec { get; init; }

    /// <summary>What the user gave along.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? UserData { get; init; }

    /// <summary>True when there is no <c>files_metadata.json</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? FilesMetadataDisabled { get; init; }

    /// <summary>OrioleDB's checkpoint number; always null.</summary>
    public uint? ChkpNum { get; init; }

    /// <summary>The version of this document: 2.</summary>
    public int? Version { get; init; }

    /// <summary>When the backup began.</summary>
    public DateTimeOffset? StartTime { get; init; }

    /// <summary>When the backup ended.</summary>
    public DateTimeOffset? FinishTime { get; init; }

    /// <summary>Always <see cref="DateFormatLiteral"/>.</summary>
    [JsonPropertyName("DateFmt")]
    public string? DateFormat { get; init; }

    /// <summary>The host that took the backup.</summary>
    [JsonPropertyName("Hostname")]
    public string? HostName { get; init; }

    /// <summary>The data directory.</summary>
    [JsonPropertyName("DataDir")]
    public string? DataDirectory { get; init; }

    /// <summary>Whether the backup was made permanent when taken; later marks change <c>metadata.json</c> alone.</summary>
    public bool? IsPermanent { get; init; }

    /// <summary>What only PgBackup writes; wal-g passes over it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PgBackupSection? PgBackup { get; init; }
}

/// <summary>What PgBackup adds to a sentinel.</summary>
public sealed record PgBackupSection
{
    /// <summary>The version of PgBackup that took the backup.</summary>
    public string? WrittenBy { get; init; }

    /// <summary>The version of the index beside the parts; null when there is none.</summary>
    public int? IndexVersion { get; init; }

    /// <summary>The timeline of the backup.</summary>
    public uint? Timeline { get; init; }

    /// <summary>The size of the cluster's WAL segments in bytes.</summary>
    public int? WalSegmentSize { get; init; }

    /// <summary>Whether the parts are encrypted.</summary>
    public bool? Encrypted { get; init; }

    /// <summary>Whether the cluster's pages carry checksums that were verified while reading.</summary>
    public bool? ChecksumsVerified { get; init; }

    /// <summary>How many pages were found damaged.</summary>
    public long? CorruptPageCount { get; init; }

    /// <summary>Whether configuration from outside the data directory is kept beside the parts.</summary>
    public bool? HasConfiguration { get; init; }

    /// <summary>The time by the server's clock when the backup's end was logged: the earliest moment to restore to.</summary>
    public DateTimeOffset? ConsistentTime { get; init; }
}
