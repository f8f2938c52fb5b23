namespace PgBackup.Codecs;

/// <summary>How an object's bytes are compressed; the extension of its name tells it (WAL-G: WALG_COMPRESSION_METHOD).</summary>
public enum CompressionMethod
{
    /// <summary>Not at all; no extension.</summary>
    None,

    /// <summary>Zstandard: <c>.zst</c>.</summary>
    Zstd,

    /// <summary>The LZ4 frame format: <c>.lz4</c>.</summary>
    Lz4,

    /// <summary>Brotli: <c>.br</c>.</summary>
    Brotli,

    /// <summary>LZMA "alone": <c>.lzma</c>; read only.</summary>
    Lzma,

    /// <summary>gzip: <c>.gz</c>; read only.</summary>
    Gzip,
}
