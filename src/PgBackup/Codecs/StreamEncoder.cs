using System.Buffers;
using PgBackup.Errors;

namespace PgBackup.Codecs;

/// <summary>Compresses a whole stream, for small objects such as WAL segments. The object is complete only once this was disposed.</summary>
public sealed class StreamEncoder : EncodingStream
{
    private const int ChunkSize = 4 << 20;

    private readonly PartEncoder _encoder;
    private readonly PartStream _part;
    private byte[] _chunk = ArrayPool<byte>.Shared.Rent(ChunkSize);
    private byte[] _encoded;
    private int _length;

    private StreamEncoder(Stream destination, PartEncoder encoder, bool leaveOpen)
        : base(destination, leaveOpen)
    {
        _encoder = encoder;
        _part = encoder.BeginPart();
        _encoded = ArrayPool<byte>.Shared.Rent(encoder.MaxEncodedLength(ChunkSize));
    }

    /// <summary>A stream that compresses into <paramref name="destination"/>.</summary>
    /// <exception cref="PgBackupException"><c>CompressionMethodReadOnly</c>, <c>CompressionLevelInvalid</c>.</exception>
    public static Stream Open(Stream destination, CompressionMethod method, bool leaveOpen = false, int? level = null)
    {
        ArgumentNullException.ThrowIfNull(destination);
        return new StreamEncoder(destination, PartEncoder.Create(method, level), leaveOpen);
    }

    private protected override int Encode(ReadOnlySpan<byte> plaintext, IBufferWriter<byte> output)
    {
        int count = Math.Min(plaintext.Length, ChunkSize - _length);
        plaintext[..count].CopyTo(_chunk.AsSpan(_length));
        _length += count;
        if (_length == ChunkSize)
            AppendChunk(output);
        return count;
    }

    private protected override void Complete(IBufferWriter<byte> output)
    {
        if (_length > 0)
            AppendChunk(output);
        _part.Complete(output);
    }

    private protected override void Release()
    {
        _part.Dispose();
        _encoder.Dispose();
        ArrayPool<byte>.Shared.Return(_chunk);
        ArrayPool<byte>.Shared.Return(_encoded);
        (_chunk, _encoded) = ([], []);
    }

    private void AppendChunk(IBufferWriter<byte> output)
    {
        ReadOnlySpan<byte> plaintext = _chunk.AsSpan(0, _length);
        int size = _encoder.Encode(plaintext, _encoded);
        _part.Append(plaintext, _encoded.AsSpan(0, size), output);
        _length = 0;
    }
}
