using System.Buffers;
using System.IO.Compression;
using PgBackup.Errors;

namespace PgBackup.Codecs;

/// <summary>Brotli parts: one stream, compressed as chunks are appended, because Brotli cannot be put together from pieces.</summary>
internal sealed class BrotliPartEncoder(int? level) : PartEncoder(CompressionMethod.Brotli)
{
    // WAL-G's quality.
    private const int DefaultQuality = 3;
    private const int WindowBits = 22;
    private const int OutputStep = 64 << 10;

    private readonly int _quality = CheckedLevel("brotli", level ?? DefaultQuality, 0, 11);

    public override int MaxEncodedLength(int plaintextLength) => 0;

    public override int Encode(ReadOnlySpan<byte> plaintext, Span<byte> destination) => 0;

    public override PartStream BeginPart() => new Part(_quality);

    private sealed class Part(int quality) : PartStream
    {
        private BrotliEncoder _encoder = new(quality, WindowBits);

        public override void Append(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> encoded, IBufferWriter<byte> output) =>
            Compress(plaintext, isFinal: false, output);

        public override void Complete(IBufferWriter<byte> output) => Compress([], isFinal: true, output);

        private protected override void Dispose(bool disposing)
        {
            if (disposing)
                _encoder.Dispose();
        }

        private void Compress(ReadOnlySpan<byte> plaintext, bool isFinal, IBufferWriter<byte> output)
        {
            OperationStatus status;
            do
            {
                status = _encoder.Compress(plaintext, output.GetSpan(OutputStep), out int consumed, out int written, isFinal);
                if (status == OperationStatus.InvalidData)
                    throw PgErrors.CompressionFailed("brotli", "the encoder refused the data");
                output.Advance(written);
                plaintext = plaintext[consumed..];
            }
            while (status == OperationStatus.DestinationTooSmall || !plaintext.IsEmpty);
        }
    }
}
