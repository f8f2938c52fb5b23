using System.Text.Json.Serialization;

namespace PgBackup.Wal.Integrity;

/// <summary>A gap that somebody has acknowledged, as the repository keeps it.</summary>
internal sealed record KnownGap
{
    /// <summary>The cluster; 0 when nothing told it.</summary>
    public required ulong SystemIdentifier { get; init; }

    /// <summary>The timeline.</summary>
    public required uint Timeline { get; init; }

    /// <summary>The number of the first segment.</summary>
    public required ulong First { get; init; }

    /// <summary>The number of the last segment.</summary>
    public required ulong Last { get; init; }

    /// <summary>The size of a segment in bytes, without which the numbers say nothing.</summary>
    public required int SegmentSize { get; init; }

    /// <summary>Who, as user@host.</summary>
    public required string By { get; init; }

    /// <summary>When (UTC).</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>Why.</summary>
    public required string Reason { get; init; }
}

/// <summary>Reads and writes <see cref="KnownGap"/> without reflection.</summary>
[JsonSerializable(typeof(KnownGap))]
[JsonSourceGenerationOptions(WriteIndented = true)]
internal sealed partial class KnownGapJson : JsonSerializerContext
{
}
