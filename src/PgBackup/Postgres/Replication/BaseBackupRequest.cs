using System.Globalization;
using System.Text;
using PgBackup.Codecs;

namespace PgBackup.Postgres.Replication;

/// <summary>What is asked of BASE_BACKUP (PostgreSQL documentation, "Streaming Replication Protocol"). WAL is never included: it comes from the archive.</summary>
public sealed record BaseBackupRequest
{
    // The documentation's bounds of MAX_RATE, in KiB a second.
    private const long LowestRate = 32;
    private const long HighestRate = 1_048_576;

    /// <summary>The label in <c>backup_label</c>.</summary>
    public string Label { get; init; } = "PgBackup";

    /// <summary>A checkpoint at once instead of one that is spread over time.</summary>
    public bool FastCheckpoint { get; init; } = true;

    /// <summary>Has the server add up the sizes of the tablespaces before it begins.</summary>
    public bool WithSizes { get; init; } = true;

    /// <summary>The bytes that the server may send a second, before compression; null for no limit. The server takes 32 KiB to 1 GiB.</summary>
    public ByteSize? MaxRate { get; init; }

    /// <summary>How the server may compress what it sends, the best first: zstd, LZ4, gzip. Servers before 15 do not compress, and not every later one knows all three.</summary>
    public IReadOnlyList<CompressionMethod> Compressions { get; init; } = [];

    internal string ToCommand(int majorVersion, CompressionMethod compression) => majorVersion >= 15 ? NewCommand(compression) : OldCommand();

    private string NewCommand(CompressionMethod compression)
    {
        var text = new StringBuilder("BASE_BACKUP (LABEL ").Append(Quote(Label));
        if (WithSizes)
            text.Append(", PROGRESS");
        text.Append(CultureInfo.InvariantCulture, $", CHECKPOINT '{(FastCheckpoint ? "fast" : "spread")}', WAIT false, TABLESPACE_MAP, MANIFEST 'yes', VERIFY_CHECKSUMS true");
        if (Rate is { } rate)
            text.Append(CultureInfo.InvariantCulture, $", MAX_RATE {rate}");
        if (Method(compression) is { } method)
            text.Append(CultureInfo.InvariantCulture, $", COMPRESSION '{method}', COMPRESSION_DETAIL 'level=1'");
        return text.Append(')').ToString();
    }

    private string OldCommand()
    {
        var text = new StringBuilder("BASE_BACKUP LABEL ").Append(Quote(Label));
        if (WithSizes)
            text.Append(" PROGRESS");
        if (FastCheckpoint)
            text.Append(" FAST");
        text.Append(" NOWAIT");
        if (Rate is { } rate)
            text.Append(CultureInfo.InvariantCulture, $" MAX_RATE {rate}");
        return text.Append(" TABLESPACE_MAP MANIFEST 'yes'").ToString();
    }

    private long? Rate => MaxRate is { } rate ? Math.Clamp(rate.Bytes / 1024, LowestRate, HighestRate) : null;

    private static string? Method(CompressionMethod compression) => compression switch
    {
        CompressionMethod.Zstd => "zstd",
        CompressionMethod.Lz4 => "lz4",
        CompressionMethod.Gzip => "gzip",
        _ => null,
    };

    private static string Quote(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
