using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using PgBackup.Errors;

namespace PgBackup.Codecs;

/// <summary>Decodes single Zstandard frames that were fetched by range. Safe for any number of threads at once; contexts are reused.</summary>
public sealed class FrameDecoder : IDisposable
{
    private const uint Magic = 0xFD2FB528;
    private const int ChecksumFlag = 0x04;

    private readonly ConcurrentBag<ZstdDecompressor> _contexts = [];
    private bool _disposed;

    /// <summary>
    /// Decodes exactly one whole frame that carries a content checksum into a destination of exactly its plaintext's size.
    /// </summary>
    /// <param name="frame">The frame, no byte more or less.</param>
    /// <param name="destination">Room for the plaintext, no byte more or less. Its content is undefined after a failure.</param>
    /// <param name="objectName">The name of the object, for errors.</param>
    /// <returns>The number of bytes written, which is the length of <paramref name="destination"/>.</returns>
    /// <exception cref="PgBackupException"><c>ObjectDamaged</c>: anything else than that.</exception>
    public int Decode(ReadOnlySpan<byte> frame, Span<byte> destination, string? objectName = null)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (frame.Length < 5 || MemoryMarshal.Read<uint>(frame) != Magic || (frame[4] & ChecksumFlag) == 0)
            throw PgErrors.ObjectDamaged(objectName, "there is no zstd frame with a checksum where one was written");
        nuint size = ZstdNative.FindFrameSize(ref MemoryMarshal.GetReference(frame), (nuint)frame.Length);
        if (ZstdNative.IsError(size) || size != (nuint)frame.Length)
            throw PgErrors.ObjectDamaged(objectName, "a zstd frame has another length than was written");
        ZstdDecompressor context = _contexts.TryTake(out ZstdDecompressor? pooled) ? pooled : ZstdDecompressor.Create();
        nuint result = ZstdNative.Decompress(
            context, ref MemoryMarshal.GetReference(destination), (nuint)destination.Length, ref MemoryMarshal.GetReference(frame), size);
        _contexts.Add(context);
        if (ZstdNative.IsError(result))
            throw PgErrors.ObjectDamaged(objectName, $"zstd reports: {ZstdNative.ErrorText(result)}");
        if (result != (nuint)destination.Length)
            throw PgErrors.ObjectDamaged(objectName, $"a zstd frame holds {result} bytes instead of {destination.Length}");
        return destination.Length;
    }

    /// <summary>Frees the contexts; no decoding may be under way.</summary>
    public void Dispose()
    {
        _disposed = true;
        while (_contexts.TryTake(out ZstdDecompressor? context))
            context.Dispose();
    }
}
