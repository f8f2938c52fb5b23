using System.Security.Cryptography;
using PgBackup.Errors;

namespace PgBackup.Codecs;

/// <summary>
/// Decrypts an object that <see cref="SecretStreamEncoder"/> or WAL-G wrote. Every chunk is authenticated before its plaintext is handed on, and
/// the end must be marked, which WAL-G itself does not demand.
/// </summary>
/// <remarks>
/// When the first chunk does not open, <c>EncryptionKeyInvalid</c> is raised: nothing in the format tells a wrong key from damage there.
/// Any later failure is <c>ObjectDamaged</c>.
/// </remarks>
public sealed class SecretStreamReader : DecodingStream
{
    private readonly EncryptionKey _key;
    private readonly byte[] _state = SodiumNative.NewState();
    private readonly byte[] _chunk = new byte[SodiumNative.ChunkLength];
    private int _pendingStart;
    private int _pendingEnd;
    private Phase _phase;

    /// <summary>A reader of the plaintext of <paramref name="source"/>.</summary>
    /// <param name="source">The stored bytes.</param>
    /// <param name="key">The repository's key.</param>
    /// <param name="objectName">The name of the object, for errors.</param>
    /// <param name="leaveOpen">Whether <paramref name="source"/> stays open when this is disposed.</param>
    public SecretStreamReader(Stream source, EncryptionKey key, string? objectName = null, bool leaveOpen = false)
        : base(source ?? throw new ArgumentNullException(nameof(source)), 1 << 18, objectName, leaveOpen)
    {
        ArgumentNullException.ThrowIfNull(key);
        _key = key;
    }

    private enum Phase
    {
        Header,
        FirstChunk,
        Chunks,
        Ended,
    }

    private protected override bool IsComplete => _phase == Phase.Ended;

    private protected override void Decode(ReadOnlySpan<byte> input, bool inputEnded, Span<byte> output, out int consumed, out int written)
    {
        (consumed, written) = (0, 0);
        if (_pendingStart < _pendingEnd)
        {
            written = Math.Min(output.Length, _pendingEnd - _pendingStart);
            _chunk.AsSpan(_pendingStart, written).CopyTo(output);
            _pendingStart += written;
            return;
        }
        if (_phase == Phase.Header)
        {
            if (input.Length < SodiumNative.HeaderLength)
                return;
            SodiumNative.InitPull(_state, input[..SodiumNative.HeaderLength], _key.Bytes);
            _phase = Phase.FirstChunk;
            consumed = SodiumNative.HeaderLength;
            return;
        }
        if (_phase == Phase.Ended && !input.IsEmpty)
            throw Damaged("bytes follow the end of its encrypted stream");
        int stored = Math.Min(input.Length, SodiumNative.StoredChunkLength);
        if (stored < SodiumNative.ChunkOverhead || (stored < SodiumNative.StoredChunkLength && !inputEnded))
            return;
        Span<byte> target = output.Length >= SodiumNative.ChunkLength ? output : _chunk;
        int length = Pull(input[..stored], target);
        consumed = stored;
        if (output.Length >= SodiumNative.ChunkLength)
            written = length;
        else
            (_pendingStart, _pendingEnd) = (0, length);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        CryptographicOperations.ZeroMemory(_state);
        CryptographicOperations.ZeroMemory(_chunk);
        base.Dispose(disposing);
    }

    private int Pull(ReadOnlySpan<byte> stored, Span<byte> target)
    {
        if (SodiumNative.Pull(_state, target, out byte tag, stored) != 0)
            throw _phase == Phase.FirstChunk ? PgErrors.EncryptionKeyInvalid(ObjectName) : Damaged("an encrypted chunk is not what was written there");
        _phase = tag switch
        {
            SodiumNative.TagFinal => Phase.Ended,
            SodiumNative.TagMessage when stored.Length == SodiumNative.StoredChunkLength => Phase.Chunks,
            _ => throw Truncated(),
        };
        return stored.Length - SodiumNative.ChunkOverhead;
    }
}
