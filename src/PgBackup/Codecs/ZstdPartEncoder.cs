using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace PgBackup.Codecs;

/// <summary>Zstandard parts: every chunk is one frame with its content size and a content checksum.</summary>
/// <remarks>
/// The default was measured with libzstd 1.5.7 on 1.0 GB of PostgreSQL 15 data (pgbench, and a table of text and jsonb with its indexes), two threads, chunks of
/// 4 MiB, one frame each. Size in bytes; time for the compression alone:
/// <code>
/// level -1                                    151,752,010
/// level 1                                     124,976,845   0.44 s
/// level 2                                     126,001,291   0.49 s
/// level 3                                     118,063,977   0.60 s
/// window 20, hash 16, chain 14, dfast, 5      117,696,537   0.51 s   (the default)
/// window 20, hash 15, chain 14, dfast, 5      117,805,503   0.48 s
/// window 22, hash 18, chain 14, dfast, 5      117,483,492   0.59 s
/// zstd -3, file by file                       118,027,717
/// tar | zstd -1 -T0                           124,888,266   1.5 s with tar and writing
/// </code>
/// Tables that stay in the processor's first caches are worth more on pages than deep ones: level 3 has hash 17 and chain 16. Chunks of 1, 2 and 8 MiB change
/// the default's size by +0.2, +0.1 and -0.03 % and its time by less than the noise.
/// </remarks>
internal sealed class ZstdPartEncoder : PartEncoder
{
    // ZSTD_dfast
    private const int DoubleFast = 2;

    private readonly ConcurrentBag<ZstdCompressor> _contexts = [];
    private readonly int? _level;

    internal ZstdPartEncoder(int? level)
        : base(CompressionMethod.Zstd) =>
        _level = level is { } l ? CheckedLevel("zstd", l, ZstdNative.MinimumLevel(), ZstdNative.MaximumLevel()) : null;

    public override bool ChunksAreIndependent => true;

    public override int MaxEncodedLength(int plaintextLength) => checked((int)ZstdNative.CompressBound((nuint)plaintextLength));

    public override int Encode(ReadOnlySpan<byte> plaintext, Span<byte> destination)
    {
        ZstdCompressor context = _contexts.TryTake(out ZstdCompressor? pooled) ? pooled : NewContext();
        nuint size = ZstdNative.Compress(
            context,
            ref MemoryMarshal.GetReference(destination), (nuint)destination.Length,
            ref MemoryMarshal.GetReference(plaintext), (nuint)plaintext.Length);
        _contexts.Add(context);
        return (int)ZstdNative.Checked(size);
    }

    public override PartStream BeginPart() => new Part(this);

    private protected override void Dispose(bool disposing)
    {
        while (disposing && _contexts.TryTake(out ZstdCompressor? context))
            context.Dispose();
    }

    private ZstdCompressor NewContext()
    {
        ZstdCompressor context = ZstdNative.CreateCompressor();
        if (context.IsInvalid)
            throw new OutOfMemoryException();
        Set(ZstdNative.Parameter.ContentSize, 1);
        Set(ZstdNative.Parameter.Checksum, 1);
        Set(ZstdNative.Parameter.Level, _level ?? 3);
        if (_level is null)
        {
            Set(ZstdNative.Parameter.WindowLog, 20);
            Set(ZstdNative.Parameter.HashLog, 16);
            Set(ZstdNative.Parameter.ChainLog, 14);
            Set(ZstdNative.Parameter.MinMatch, 5);
            Set(ZstdNative.Parameter.Strategy, DoubleFast);
        }
        return context;

        void Set(ZstdNative.Parameter parameter, int value) => ZstdNative.Checked(ZstdNative.SetParameter(context, parameter, value));
    }

    private sealed class Part(ZstdPartEncoder encoder) : PartStream
    {
        private bool _begun;

        public override void Append(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> encoded, IBufferWriter<byte> output)
        {
            _begun = true;
            output.Write(encoded);
        }

        public override void Complete(IBufferWriter<byte> output)
        {
            if (!_begun)
                output.Advance(encoder.Encode([], output.GetSpan(encoder.MaxEncodedLength(0))));
        }
    }
}
