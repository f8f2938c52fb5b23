namespace PgBackup.Codecs;

/// <summary>Hands on what is stored as it is. It has no end mark: whoever knows the size must check it.</summary>
internal sealed class StoredDecodingStream(Stream source, bool leaveOpen) : DecodingStream(source, 1 << 16, objectName: null, leaveOpen)
{
    private protected override bool IsComplete => true;

    private protected override void Decode(ReadOnlySpan<byte> input, bool inputEnded, Span<byte> output, out int consumed, out int written)
    {
        consumed = written = Math.Min(input.Length, output.Length);
        input[..written].CopyTo(output);
    }
}
