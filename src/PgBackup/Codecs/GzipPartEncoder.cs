using System.Buffers;
using System.IO.Compression;

namespace PgBackup.Codecs;

/// <summary>gzip, each chunk a member of its own (RFC 1952, section 2.2): for files that other programs read, never for a repository.</summary>
internal sealed class GzipPartEncoder : PartEncoder
{
    private readonly ZLibCompressionOptions _options;

    internal GzipPartEncoder(int? level)
        : base(CompressionMethod.Gzip) =>
        _options = new ZLibCompressionOptions { CompressionLevel = CheckedLevel("gzip", level ?? 6, 0, 9) };

    public override bool ChunksAreIndependent => true;

    // deflate's worst case: stored blocks of 16 KiB with 5 bytes each, and the member's frame.
    public override int MaxEncodedLength(int plaintextLength) => checked(plaintextLength + (plaintextLength / 1000) + 1024);

    public override int Encode(ReadOnlySpan<byte> plaintext, Span<byte> destination)
    {
        using var member = new MemoryStream((plaintext.Length / 2) + 1024);
        using (var gzip = new GZipStream(member, _options, leaveOpen: true))
            gzip.Write(plaintext);
        member.GetBuffer().AsSpan(0, (int)member.Length).CopyTo(destination);
        return (int)member.Length;
    }

    public override PartStream BeginPart() => new Part();

    private sealed class Part : PartStream
    {
        // The framework writes nothing at all for an empty stream, and no file is no gzip.
        private static readonly byte[] s_emptyMember = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

        private bool _begun;

        public override void Append(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> encoded, IBufferWriter<byte> output)
        {
            _begun = true;
            output.Write(encoded);
        }

        public override void Complete(IBufferWriter<byte> output)
        {
            if (!_begun)
                output.Write(s_emptyMember);
        }
    }
}
