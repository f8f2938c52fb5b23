using System.Buffers;
using System.IO.Compression;

namespace PgBackup.Codecs;

/// <summary>
/// Decodes one Brotli stream (RFC 7932). The decoder's own state is used, because BrotliStream takes truncated input for the end.
/// The format has no checksum: a flipped bit may change the plaintext unnoticed.
/// </summary>
internal sealed class BrotliDecodingStream(Stream source, string? objectName, bool leaveOpen) : DecodingStream(source, 1 << 18, objectName, leaveOpen)
{
    private BrotliDecoder _decoder;
    private bool _done;

    private protected override bool IsComplete => _done;

    private protected override void Decode(ReadOnlySpan<byte> input, bool inputEnded, Span<byte> output, out int consumed, out int written)
    {
        (consumed, written) = (0, 0);
        if (_done)
        {
            if (!input.IsEmpty)
                throw Damaged("bytes follow the end of its Brotli stream");
            return;
        }
        OperationStatus status = _decoder.Decompress(input, output, out consumed, out written);
        if (status == OperationStatus.InvalidData)
            throw Damaged("it is not a valid Brotli stream");
        _done = status == OperationStatus.Done;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _decoder.Dispose();
        base.Dispose(disposing);
    }
}
