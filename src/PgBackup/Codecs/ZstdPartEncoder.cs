using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace PgBackup.Codecs;

/// <summary>Zstandard parts: every chunk is one frame with its content size and a content checksum.</summary>
/// <remarks>
/// The default was measured with libzstd on PostgreSQL 15 data in chunks of 4 MiB, one frame each, one thread: 200 MiB of a table of text and jsonb, 133 MiB of
/// pgbench's accounts after updates, 193 MiB of their primary key. Size in bytes; time for the compression alone:
/// <code>
/// level 1                                     112,779,719
/// window 20, hash 16, chain 14, dfast, 5       99,848,913   1.11 s
/// window 20, hash 17, chain 16, dfast, 5       97,597,337   1.23 s
/// level 3                                      97,619,337
/// window 20, hash 18, chain 16, dfast, 5       97,085,620           (the default)
/// window 22, hash 18, chain 16, dfast, 5       97,025,603   1.28 s
/// window 22, hash 18, chain 17, dfast, 5       96,876,977   1.31 s
/// </code>
/// Smaller than level 3, which other tools use on whole files, and about as fast. Chunks of 1, 2 and 8 MiB change the size by some tenths of a percent.
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
            Set(ZstdNative.Parameter.HashLog, 18);
            Set(ZstdNative.Parameter.ChainLog, 16);
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
