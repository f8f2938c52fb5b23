using System.Buffers;
using System.Security.Cryptography;

namespace PgBackup.Codecs;

/// <summary>
/// Encrypts one object as WAL-G does: libsodium's secretstream in chunks of 8192 bytes. The last chunk is always shorter, empty if need be,
/// because WAL-G takes a full last chunk for a premature end. Used by one thread at a time, in order.
/// </summary>
public sealed class SecretStreamEncoder : IDisposable
{
    private readonly EncryptionKey _key;
    private readonly byte[] _state = SodiumNative.NewState();
    private readonly byte[] _rest = new byte[SodiumNative.ChunkLength];
    private int _restLength;
    private bool _open;

    /// <summary>An encoder for any number of objects, one after another.</summary>
    public SecretStreamEncoder(EncryptionKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        _key = key;
    }

    /// <summary>Begins an object: writes the random header of 24 bytes.</summary>
    public void Begin(IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        SodiumNative.InitPush(_state, output.GetSpan(SodiumNative.HeaderLength), _key.Bytes);
        output.Advance(SodiumNative.HeaderLength);
        _restLength = 0;
        _open = true;
    }

    /// <summary>Encrypts more of the object; up to 8191 bytes are held back.</summary>
    public void Append(ReadOnlySpan<byte> plaintext, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        RequireOpen();
        while (_restLength + plaintext.Length >= SodiumNative.ChunkLength)
        {
            if (_restLength == 0)
            {
                Push(plaintext[..SodiumNative.ChunkLength], SodiumNative.TagMessage, output);
                plaintext = plaintext[SodiumNative.ChunkLength..];
                continue;
            }
            int taken = SodiumNative.ChunkLength - _restLength;
            plaintext[..taken].CopyTo(_rest.AsSpan(_restLength));
            plaintext = plaintext[taken..];
            _restLength = 0;
            Push(_rest, SodiumNative.TagMessage, output);
        }
        plaintext.CopyTo(_rest.AsSpan(_restLength));
        _restLength += plaintext.Length;
    }

    /// <summary>Ends the object with its FINAL chunk.</summary>
    public void Complete(IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(output);
        RequireOpen();
        Push(_rest.AsSpan(0, _restLength), SodiumNative.TagFinal, output);
        Dispose();
    }

    /// <summary>Forgets the key stream and the bytes held back; a new object may be begun.</summary>
    public void Dispose()
    {
        _open = false;
        CryptographicOperations.ZeroMemory(_state);
        CryptographicOperations.ZeroMemory(_rest);
    }

    private void Push(ReadOnlySpan<byte> plaintext, byte tag, IBufferWriter<byte> output)
    {
        int size = plaintext.Length + SodiumNative.ChunkOverhead;
        if (SodiumNative.Push(_state, output.GetSpan(size), plaintext, tag) != 0)
            throw new CryptographicException("libsodium refused to encrypt a chunk.");
        output.Advance(size);
    }

    private void RequireOpen()
    {
        if (!_open)
            throw new InvalidOperationException("Begin was not called.");
    }
}
