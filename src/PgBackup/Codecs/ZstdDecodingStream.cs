namespace PgBackup.Codecs;

/// <summary>Decodes a series of Zstandard frames, skippable ones among them (RFC 8878). Checksums are verified where a frame has one.</summary>
internal sealed class ZstdDecodingStream(Stream source, string? objectName, bool leaveOpen) : DecodingStream(source, 1 << 20, objectName, leaveOpen)
{
    private readonly ZstdDecompressor _context = ZstdDecompressor.Create();
    private bool _atFrameEnd;

    private protected override bool IsComplete => _atFrameEnd;

    private protected override unsafe void Decode(ReadOnlySpan<byte> input, bool inputEnded, Span<byte> output, out int consumed, out int written)
    {
        (consumed, written) = (0, 0);
        if (input.IsEmpty && _atFrameEnd)
            return;
        nuint result;
        fixed (byte* inputPointer = input, outputPointer = output)
        {
            var from = new ZstdNative.Buffer { Data = inputPointer, Size = (nuint)input.Length };
            var to = new ZstdNative.Buffer { Data = outputPointer, Size = (nuint)output.Length };
            result = ZstdNative.DecompressStream(_context, &to, &from);
            (consumed, written) = ((int)from.Position, (int)to.Position);
        }
        if (ZstdNative.IsError(result))
            throw Damaged($"zstd reports: {ZstdNative.ErrorText(result)}");
        if (consumed > 0 || written > 0)
            _atFrameEnd = result == 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _context.Dispose();
        base.Dispose(disposing);
    }
}
