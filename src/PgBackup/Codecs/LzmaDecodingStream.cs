using System.Buffers.Binary;

namespace PgBackup.Codecs;

/// <summary>
/// Decodes one LZMA "alone" stream (.lzma): 13 bytes of header (properties, dictionary size, size or −1), then the range-coded data.
/// Either the declared size or the end marker is demanded, and the range coder must end at zero; the format has no checksum.
/// </summary>
internal sealed class LzmaDecodingStream(Stream source, string? objectName, bool leaveOpen) : DecodingStream(source, 1 << 18, objectName, leaveOpen)
{
    private const int HeaderLength = 13;
    private const int LargestDictionary = 512 << 20;

    // The most input that one symbol can take (LZMA SDK, LZMA_REQUIRED_INPUT_MAX).
    private const int LongestSymbol = 20;

    private LzmaDecoder? _decoder;

    private protected override bool IsComplete => _decoder is { IsFinished: true };

    private protected override void Decode(ReadOnlySpan<byte> input, bool inputEnded, Span<byte> output, out int consumed, out int written)
    {
        (consumed, written) = (0, 0);
        if (_decoder is null)
        {
            if (input.Length >= HeaderLength + 5)
            {
                _decoder = ReadHeader(input);
                consumed = HeaderLength + 5;
            }
            return;
        }
        if (_decoder.IsFinished)
        {
            if (!input.IsEmpty)
                throw Damaged("bytes follow the end of its LZMA stream");
            return;
        }
        switch (_decoder.Decode(input, inputEnded ? 0 : LongestSymbol, output, out consumed, out written))
        {
            case LzmaDecoder.Outcome.InputMissing:
                throw Truncated();
            case LzmaDecoder.Outcome.Invalid:
                throw Damaged("it is not a valid LZMA stream");
        }
    }

    private LzmaDecoder ReadHeader(ReadOnlySpan<byte> input)
    {
        int properties = input[0];
        uint dictionarySize = BinaryPrimitives.ReadUInt32LittleEndian(input[1..]);
        long size = BinaryPrimitives.ReadInt64LittleEndian(input[5..]);
        if (properties >= 9 * 5 * 5 || size < -1 || dictionarySize > LargestDictionary || input[HeaderLength] != 0)
            throw Damaged("the header of its LZMA stream is not valid");
        uint code = BinaryPrimitives.ReadUInt32BigEndian(input[(HeaderLength + 1)..]);
        return new LzmaDecoder(properties, Math.Max(4096, (int)dictionarySize), size, code);
    }
}
