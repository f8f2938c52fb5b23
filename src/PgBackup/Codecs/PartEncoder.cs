using System.Buffers;
using PgBackup.Errors;

namespace PgBackup.Codecs;

/// <summary>
/// Compresses the parts of a backup: chunks are encoded on any number of threads, then appended in order. One object serves a whole backup.
/// </summary>
public abstract class PartEncoder : IDisposable
{
    private protected PartEncoder(CompressionMethod method) => Method = method;

    /// <summary>The method that is written.</summary>
    public CompressionMethod Method { get; }

    /// <summary>True when the bytes that a chunk adds to a part decode alone, so that a reader can fetch them by range.</summary>
    public virtual bool ChunksAreIndependent => false;

    /// <summary>An encoder for one of <see cref="CompressionNames.Writable"/>.</summary>
    /// <param name="method">The method.</param>
    /// <param name="level">The method's own level; leave it out for the measured default.</param>
    /// <exception cref="PgBackupException"><c>CompressionMethodReadOnly</c>, <c>CompressionLevelInvalid</c>.</exception>
    public static PartEncoder Create(CompressionMethod method, int? level = null) => method switch
    {
        CompressionMethod.None => new StoredPartEncoder(),
        CompressionMethod.Zstd => new ZstdPartEncoder(level),
        CompressionMethod.Lz4 => new Lz4PartEncoder(level),
        CompressionMethod.Brotli => new BrotliPartEncoder(level),
        CompressionMethod.Lzma => throw PgErrors.CompressionMethodReadOnly("lzma"),
        CompressionMethod.Gzip => throw PgErrors.CompressionMethodReadOnly("gzip"),
        _ => throw new ArgumentOutOfRangeException(nameof(method)),
    };

    /// <summary>How much room <see cref="Encode"/> needs for a chunk, in bytes.</summary>
    public abstract int MaxEncodedLength(int plaintextLength);

    /// <summary>Encodes one chunk; on any thread. Brotli has no separable chunks: it returns 0 and works in <see cref="PartStream.Append"/>.</summary>
    /// <returns>The number of bytes written to <paramref name="destination"/>.</returns>
    public abstract int Encode(ReadOnlySpan<byte> plaintext, Span<byte> destination);

    /// <summary>Begins a part.</summary>
    public abstract PartStream BeginPart();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what is kept between chunks; no encoding may be under way.</summary>
    private protected virtual void Dispose(bool disposing)
    {
    }

    private protected static int CheckedLevel(string method, int level, int lowest, int highest) =>
        level >= lowest && level <= highest ? level : throw PgErrors.CompressionLevelInvalid(method, level, lowest, highest);
}

/// <summary>One part (one object) as it is put together from encoded chunks; used by one thread at a time, in order.</summary>
public abstract class PartStream : IDisposable
{
    private protected PartStream()
    {
    }

    /// <summary>Adds a chunk: its plaintext, and what <see cref="PartEncoder.Encode"/> made of it.</summary>
    public abstract void Append(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> encoded, IBufferWriter<byte> output);

    /// <summary>Ends the part. A part without a chunk is valid and empty.</summary>
    public abstract void Complete(IBufferWriter<byte> output);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the part holds.</summary>
    private protected virtual void Dispose(bool disposing)
    {
    }
}
