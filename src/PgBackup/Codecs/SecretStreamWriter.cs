using System.Buffers;

namespace PgBackup.Codecs;

/// <summary>Encrypts into another stream, as <see cref="SecretStreamEncoder"/> does. The object is complete only once this was disposed.</summary>
public sealed class SecretStreamWriter : EncodingStream
{
    private const int Piece = 64 * SodiumNative.ChunkLength;

    private readonly SecretStreamEncoder _encoder;
    private bool _begun;

    /// <summary>A stream that encrypts into <paramref name="destination"/>.</summary>
    public SecretStreamWriter(Stream destination, EncryptionKey key, bool leaveOpen = false)
        : base(destination, leaveOpen) =>
        _encoder = new SecretStreamEncoder(key);

    private protected override int Encode(ReadOnlySpan<byte> plaintext, IBufferWriter<byte> output)
    {
        Begin(output);
        int count = Math.Min(plaintext.Length, Piece);
        _encoder.Append(plaintext[..count], output);
        return count;
    }

    private protected override void Complete(IBufferWriter<byte> output)
    {
        Begin(output);
        _encoder.Complete(output);
    }

    private protected override void Release() => _encoder.Dispose();

    private void Begin(IBufferWriter<byte> output)
    {
        if (!_begun)
            _encoder.Begin(output);
        _begun = true;
    }
}
