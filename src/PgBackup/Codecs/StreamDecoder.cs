using PgBackup.Errors;

namespace PgBackup.Codecs;

/// <summary>Opens stored bytes for reading their plaintext.</summary>
public static class StreamDecoder
{
    /// <summary>
    /// A forward-only stream of the plaintext of <paramref name="source"/>. Damaged or truncated data raises <c>ObjectDamaged</c>, and never
    /// ends early in silence; formats without a checksum (Brotli, LZMA, none) cannot tell every changed bit.
    /// </summary>
    /// <param name="source">The stored bytes.</param>
    /// <param name="method">How they are compressed.</param>
    /// <param name="objectName">The name of the object, for errors.</param>
    /// <param name="leaveOpen">Whether <paramref name="source"/> stays open when the result is disposed.</param>
    /// <exception cref="PgBackupException">On reading: <c>ObjectDamaged</c>.</exception>
    public static Stream Open(Stream source, CompressionMethod method, string? objectName = null, bool leaveOpen = false)
    {
        ArgumentNullException.ThrowIfNull(source);
        return method switch
        {
            CompressionMethod.None => new StoredDecodingStream(source, leaveOpen),
            CompressionMethod.Zstd => new ZstdDecodingStream(source, objectName, leaveOpen),
            CompressionMethod.Lz4 => new Lz4DecodingStream(source, objectName, leaveOpen),
            CompressionMethod.Brotli => new BrotliDecodingStream(source, objectName, leaveOpen),
            CompressionMethod.Lzma => new LzmaDecodingStream(source, objectName, leaveOpen),
            CompressionMethod.Gzip => new GzipDecodingStream(source, objectName, leaveOpen),
            _ => throw new ArgumentOutOfRangeException(nameof(method)),
        };
    }
}
