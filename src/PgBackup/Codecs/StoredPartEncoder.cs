using System.Buffers;

namespace PgBackup.Codecs;

/// <summary>Parts without compression.</summary>
internal sealed class StoredPartEncoder() : PartEncoder(CompressionMethod.None)
{
    public override bool ChunksAreIndependent => true;

    public override int MaxEncodedLength(int plaintextLength) => plaintextLength;

    public override int Encode(ReadOnlySpan<byte> plaintext, Span<byte> destination)
    {
        plaintext.CopyTo(destination);
        return plaintext.Length;
    }

    public override PartStream BeginPart() => new Part();

    private sealed class Part : PartStream
    {
        public override void Append(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> encoded, IBufferWriter<byte> output) => output.Write(encoded);

        public override void Complete(IBufferWriter<byte> output)
        {
        }
    }
}
