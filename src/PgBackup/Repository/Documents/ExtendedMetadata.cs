using System.Text.Json;
using System.Text.Json.Serialization;

namespace PgBackup.Repository.Documents;

/// <summary>
/// <c>metadata.json</c>: WAL-G's <c>ExtendedMetadataDto</c>. All members are always written. wal-g's <c>backup-mark</c> rewrites the document and drops
/// what it does not know: nothing of ours belongs here.
/// </summary>
public sealed record ExtendedMetadata
{
    /// <summary>When the backup began.</summary>
    [JsonPropertyName("start_time")]
    public DateTimeOffset? StartTime { get; init; }

    /// <summary>When the backup ended.</summary>
    [JsonPropertyName("finish_time")]
    public DateTimeOffset? FinishTime { get; init; }

    /// <summary>Always <see cref="BackupSentinel.DateFormatLiteral"/>.</summary>
    [JsonPropertyName("date_fmt")]
    public string? DateFormat { get; init; }

    /// <summary>The host that took the backup.</summary>
    [JsonPropertyName("hostname")]
    public string? HostName { get; init; }

    /// <summary>The data directory.</summary>
    [JsonPropertyName("data_dir")]
    public string? DataDirectory { get; init; }

    /// <summary>The server's <c>server_version_num</c>.</summary>
    [JsonPropertyName("pg_version")]
    public int? PgVersion { get; init; }

    /// <summary>The start LSN.</summary>
    [JsonPropertyName("start_lsn")]
    public ulong? StartLsn { get; init; }

    /// <summary>The LSN at which the backup ended.</summary>
    [JsonPropertyName("finish_lsn")]
    public ulong? FinishLsn { get; init; }

    /// <summary>Whether retention must leave the backup alone.</summary>
    [JsonPropertyName("is_permanent")]
    public bool? IsPermanent { get; init; }

    /// <summary>The cluster's system identifier.</summary>
    [JsonPropertyName("system_identifier")]
    public ulong? SystemIdentifier { get; init; }

    /// <summary>The bytes of all tar members.</summary>
    [JsonPropertyName("uncompressed_size")]
    public long? UncompressedSize { get; init; }

    /// <summary>The bytes of all parts as stored.</summary>
    [JsonPropertyName("compressed_size")]
    public long? CompressedSize { get; init; }

    /// <summary>What the user gave along.</summary>
    [JsonPropertyName("user_data"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? UserData { get; init; }
}
