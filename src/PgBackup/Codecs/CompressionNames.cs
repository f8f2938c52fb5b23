using System.Collections.Immutable;
using PgBackup.Errors;

namespace PgBackup.Codecs;

/// <summary>How compression methods are spelled in object names and in WAL-G's settings.</summary>
public static class CompressionNames
{
    /// <summary>Every method that can be read, in the order in which a reader should look for an object.</summary>
    public static IReadOnlyList<CompressionMethod> Readable { get; } = ImmutableArray.Create(
        CompressionMethod.Zstd, CompressionMethod.Lz4, CompressionMethod.None, CompressionMethod.Brotli, CompressionMethod.Lzma, CompressionMethod.Gzip);

    /// <summary>Every method that can be written, the default first.</summary>
    public static IReadOnlyList<CompressionMethod> Writable { get; } = ImmutableArray.Create(
        CompressionMethod.Zstd, CompressionMethod.Lz4, CompressionMethod.Brotli, CompressionMethod.None);

    /// <summary>The extension of an object's name with its dot, empty for <see cref="CompressionMethod.None"/>.</summary>
    public static string Extension(CompressionMethod method) => method switch
    {
        CompressionMethod.None => "",
        CompressionMethod.Zstd => ".zst",
        CompressionMethod.Lz4 => ".lz4",
        CompressionMethod.Brotli => ".br",
        CompressionMethod.Lzma => ".lzma",
        CompressionMethod.Gzip => ".gz",
        _ => throw new ArgumentOutOfRangeException(nameof(method)),
    };

    /// <summary>
    /// Splits an object's name into what was stored and how. An extension that is not a compression's belongs to the stem.
    /// WAL-G 3.0.8 wrote uncompressed objects with a dot at the end (<c>part_001.tar.</c>); the stem comes without it.
    /// </summary>
    /// <returns>False for a name without a stem, and for WAL-E's <c>.lzo</c>, which cannot be read.</returns>
    public static bool TrySplit(string fileName, out string stem, out CompressionMethod method)
    {
        ArgumentNullException.ThrowIfNull(fileName);
        (int extensionLength, method) = Path.GetExtension(fileName) switch
        {
            ".zst" => (4, CompressionMethod.Zstd),
            ".lz4" => (4, CompressionMethod.Lz4),
            ".br" => (3, CompressionMethod.Brotli),
            ".lzma" => (5, CompressionMethod.Lzma),
            ".gz" => (3, CompressionMethod.Gzip),
            ".lzo" => (fileName.Length, CompressionMethod.None),
            _ => (fileName.EndsWith('.') ? 1 : 0, CompressionMethod.None),
        };
        stem = fileName[..^extensionLength];
        return stem.Length > 0;
    }

    /// <summary>Reads a value of <c>WALG_COMPRESSION_METHOD</c>: a method to write with.</summary>
    /// <exception cref="PgBackupException"><c>CompressionMethodUnknown</c>, <c>CompressionMethodReadOnly</c>.</exception>
    public static CompressionMethod Parse(string walgSettingValue)
    {
        ArgumentNullException.ThrowIfNull(walgSettingValue);
        return walgSettingValue.Trim().ToLowerInvariant() switch
        {
            "zstd" => CompressionMethod.Zstd,
            "lz4" => CompressionMethod.Lz4,
            "brotli" => CompressionMethod.Brotli,
            "none" => CompressionMethod.None,
            "lzma" or "gz" or "gzip" => throw PgErrors.CompressionMethodReadOnly(walgSettingValue),
            _ => throw PgErrors.CompressionMethodUnknown(walgSettingValue),
        };
    }
}
