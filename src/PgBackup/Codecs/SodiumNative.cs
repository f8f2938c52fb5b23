using System.Runtime.InteropServices;

namespace PgBackup.Codecs;

/// <summary>The part of libsodium's C interface that is used here (crypto_secretstream_xchacha20poly1305.h), and WAL-G's way of using it.</summary>
internal static partial class SodiumNative
{
    /// <summary>Bytes of a key.</summary>
    internal const int KeyLength = 32;

    /// <summary>Bytes before the first chunk of a stream.</summary>
    internal const int HeaderLength = 24;

    /// <summary>Bytes that encryption adds to a chunk.</summary>
    internal const int ChunkOverhead = 17;

    /// <summary>Plaintext bytes of every chunk but the last (WAL-G's choice).</summary>
    internal const int ChunkLength = 8192;

    /// <summary>Stored bytes of every chunk but the last.</summary>
    internal const int StoredChunkLength = ChunkLength + ChunkOverhead;

    /// <summary>The tag of every chunk but the last.</summary>
    internal const byte TagMessage = 0;

    /// <summary>The tag of the last chunk.</summary>
    internal const byte TagFinal = 3;

    private const string Library = "libsodium";
    private const int StateLength = 52;

    static SodiumNative()
    {
        if (Initialize() < 0)
            throw new InvalidOperationException("libsodium cannot be initialised.");
    }

    /// <summary>Room for a stream's state. It holds key material: clear it after use.</summary>
    internal static byte[] NewState() => new byte[StateLength];

    /// <summary>Begins writing: fills state and header.</summary>
    internal static int InitPush(byte[] state, Span<byte> header, ReadOnlySpan<byte> key) =>
        InitPush(ref state[0], ref MemoryMarshal.GetReference(header), ref MemoryMarshal.GetReference(key));

    /// <summary>Begins reading.</summary>
    internal static int InitPull(byte[] state, ReadOnlySpan<byte> header, ReadOnlySpan<byte> key) =>
        InitPull(ref state[0], ref MemoryMarshal.GetReference(header), ref MemoryMarshal.GetReference(key));

    /// <summary>Encrypts a chunk; <paramref name="stored"/> has room for <see cref="ChunkOverhead"/> bytes more.</summary>
    internal static int Push(byte[] state, Span<byte> stored, ReadOnlySpan<byte> plaintext, byte tag) => Push(
        ref state[0], ref MemoryMarshal.GetReference(stored), 0, ref MemoryMarshal.GetReference(plaintext), (ulong)plaintext.Length, 0, 0, tag);

    /// <summary>Decrypts a chunk; not 0 when it is not what was written next with this key.</summary>
    internal static int Pull(byte[] state, Span<byte> plaintext, out byte tag, ReadOnlySpan<byte> stored) => Pull(
        ref state[0], ref MemoryMarshal.GetReference(plaintext), 0, out tag, ref MemoryMarshal.GetReference(stored), (ulong)stored.Length, 0, 0);

    [LibraryImport(Library, EntryPoint = "sodium_init")]
    private static partial int Initialize();

    [LibraryImport(Library, EntryPoint = "crypto_secretstream_xchacha20poly1305_init_push")]
    private static partial int InitPush(ref byte state, ref byte header, ref byte key);

    [LibraryImport(Library, EntryPoint = "crypto_secretstream_xchacha20poly1305_init_pull")]
    private static partial int InitPull(ref byte state, ref byte header, ref byte key);

    [LibraryImport(Library, EntryPoint = "crypto_secretstream_xchacha20poly1305_push")]
    private static partial int Push(
        ref byte state, ref byte stored, nint storedLength, ref byte plaintext, ulong length, nint additional, ulong additionalLength, byte tag);

    [LibraryImport(Library, EntryPoint = "crypto_secretstream_xchacha20poly1305_pull")]
    private static partial int Pull(
        ref byte state, ref byte plaintext, nint plaintextLength, out byte tag, ref byte stored, ulong length, nint additional, ulong additionalLength);
}
