using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using PgBackup.Codecs;
using PgBackup.Errors;

namespace PgBackup.Tests.Codecs;

public sealed class SecretStreamTests
{
    private static readonly EncryptionKey s_key = EncryptionKey.FromSettings(
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", KeyTransform.Hex);

    private static readonly EncryptionKey s_otherKey = EncryptionKey.FromSettings("a text of at least 25 bytes", KeyTransform.None);

    [Fact]
    public void A_known_stream_is_decrypted()
    {
        byte[] stored = Convert.FromHexString("6465666768696a6b6c6d6e6f707172737475767778797a7b5c2b7bda6b09d20dfb6cb99cf0d24a370933a166b2e5");
        Assert.Equal("wal-g", Encoding.ASCII.GetString(Decrypt(stored)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8191)]
    [InlineData(8192)]
    [InlineData(8193)]
    [InlineData(16384)]
    [InlineData(20000)]
    [InlineData(5_000_000)]
    public void The_last_chunk_is_always_shorter_than_the_others(int length)
    {
        byte[] plaintext = CodecSamples.Noise(length);
        byte[] stored = Encrypt(plaintext);
        Assert.Equal(24 + 17 * (length / 8192 + 1) + length, stored.Length);
        Assert.Equal(plaintext, Decrypt(stored));
    }

    [Fact]
    public void Any_chunking_gives_an_object_that_decrypts_at_any_pace()
    {
        using var encoder = new SecretStreamEncoder(s_key);
        Check.QuickThrowOnFailure(Prop.ForAll<int[], int>((lengths, pace) =>
        {
            var output = new ArrayBufferWriter<byte>();
            var expected = new MemoryStream();
            encoder.Begin(output);
            foreach (int length in lengths)
            {
                byte[] chunk = CodecSamples.Noise(Math.Abs(length % 100) * 331, length);
                expected.Write(chunk);
                encoder.Append(chunk, output);
            }
            encoder.Complete(output);
            var source = new SlowStream(output.WrittenSpan.ToArray(), 1 + Math.Abs(pace % 10_000));
            byte[] plaintext = CodecSamples.ReadInPiecesAsync(new SecretStreamReader(source, s_key), 1 + Math.Abs(pace % 9_000)).GetAwaiter().GetResult();
            return plaintext.SequenceEqual(expected.ToArray());
        }));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(8192)]
    [InlineData(9000)]
    public void Truncation_is_found_at_every_position(int length)
    {
        byte[] stored = Encrypt(CodecSamples.Text(length));
        for (int kept = 0; kept < stored.Length; kept++)
        {
            // Before the first chunk is whole, nothing tells a cut from a wrong key.
            bool firstChunkCut = kept >= 24 + 17 && kept < 24 + 8209;
            CodecSamples.AssertFails(firstChunkCut ? "EncryptionKeyInvalid" : "ObjectDamaged", () => Decrypt(stored[..kept]));
        }
    }

    [Fact]
    public void Every_flipped_bit_is_found()
    {
        byte[] stored = Encrypt(CodecSamples.Text(8192 + 40));
        for (int bit = 0; bit < stored.Length * 8; bit += bit is >= 400 and < 65_000 ? 97 : 1)
        {
            byte[] damaged = [.. stored];
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            CodecSamples.AssertFails(bit / 8 < 24 + 8209 ? "EncryptionKeyInvalid" : "ObjectDamaged", () => Decrypt(damaged));
        }
    }

    [Fact]
    public void Bytes_behind_the_end_swapped_and_repeated_chunks_are_found()
    {
        byte[] stored = Encrypt(CodecSamples.Text(3 * 8192 + 40));
        CodecSamples.AssertFails("ObjectDamaged", () => Decrypt([.. stored, 0]));
        CodecSamples.AssertFails("ObjectDamaged", () => Decrypt([.. stored, .. stored]));
        byte[] second = stored[(24 + 8209)..(24 + 2 * 8209)];
        byte[] third = stored[(24 + 2 * 8209)..(24 + 3 * 8209)];
        byte[] rest = stored[(24 + 3 * 8209)..];
        byte[] begin = stored[..(24 + 8209)];
        Assert.NotEmpty(Decrypt([.. begin, .. second, .. third, .. rest]));
        CodecSamples.AssertFails("ObjectDamaged", () => Decrypt([.. begin, .. third, .. second, .. rest]));
        CodecSamples.AssertFails("ObjectDamaged", () => Decrypt([.. begin, .. second, .. second, .. third, .. rest]));
    }

    [Fact]
    public void A_wrong_key_is_told_as_such()
    {
        byte[] stored = Encrypt(CodecSamples.Text(20_000));
        PgBackupException error = CodecSamples.AssertFails(
            "EncryptionKeyInvalid", () => CodecSamples.ReadAll(new SecretStreamReader(new MemoryStream(stored), s_otherKey, "wal_005/x")));
        Assert.Equal((ErrorKind.SecurityError, ExitCodes.WrongKey), (error.Kind, error.ExitCode));
        Assert.Contains("wal_005/x", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_objects_of_the_same_bytes_have_different_ciphertexts() =>
        Assert.NotEqual(Encrypt(new byte[100]), Encrypt(new byte[100]));

    [Fact]
    public void What_WAL_G_encrypted_is_read()
    {
        byte[] tar = CodecSamples.Decode(CompressionMethod.Zstd, Decrypt(CodecSamples.Fixture("sodium_backup_label.tar.zst")));
        Assert.Equal("backup_label", Encoding.ASCII.GetString(tar, 0, 12));
        byte[] segment = CodecSamples.Decode(CompressionMethod.Zstd, Decrypt(CodecSamples.Fixture("sodium_000000010000000000000002.zst")));
        Assert.Equal(16 << 20, segment.Length);
        // XLOG_PAGE_MAGIC of PostgreSQL 15 (xlog_internal.h).
        Assert.Equal(0xD110, BitConverter.ToUInt16(segment));
    }

    [Theory]
    [InlineData("this text has more than thirty-two bytes", KeyTransform.None, "this text has more than thirty-t")]
    [InlineData("  twenty-five bytes of key!\n", KeyTransform.None, "twenty-five bytes of key!\0\0\0\0\0\0\0")]
    [InlineData("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n", KeyTransform.Base64, "0123456789abcdef0123456789abcdef")]
    [InlineData("3031323334353637383961626364656630313233343536373839616263646566", KeyTransform.Hex, "0123456789abcdef0123456789abcdef")]
    public void Keys_are_made_as_WAL_G_makes_them(string text, KeyTransform transform, string expected) =>
        Assert.Equal(expected, Encoding.UTF8.GetString(EncryptionKey.FromSettings(text, transform).Bytes));

    [Theory]
    [InlineData("twenty-four bytes of key", KeyTransform.None)]
    [InlineData("30313233", KeyTransform.Hex)]
    [InlineData("xyz", KeyTransform.Hex)]
    [InlineData("MDEyMw==", KeyTransform.Base64)]
    [InlineData("?", KeyTransform.Base64)]
    public void Unusable_keys_are_refused_without_showing_them(string text, KeyTransform transform)
    {
        PgBackupException error = CodecSamples.AssertFails("EncryptionKeyMalformed", () => EncryptionKey.FromSettings(text, transform));
        Assert.DoesNotContain(text, error.ToString() + error.Hint, StringComparison.Ordinal);
        Assert.Equal("(encryption key)", s_key.ToString());
    }

    [Fact]
    public async Task The_asynchronous_writer_makes_a_whole_object()
    {
        byte[] plaintext = CodecSamples.Noise(3_000_000);
        var target = new MemoryStream();
        await using (var writer = new SecretStreamWriter(target, s_key, leaveOpen: true))
        {
            for (int at = 0; at < plaintext.Length; at += 777_777)
                await writer.WriteAsync(plaintext.AsMemory(at, Math.Min(777_777, plaintext.Length - at)));
        }
        Assert.Equal(SHA256.HashData(plaintext), SHA256.HashData(Decrypt(target.ToArray())));
    }

    private static byte[] Encrypt(byte[] plaintext)
    {
        var target = new MemoryStream();
        using (var writer = new SecretStreamWriter(target, s_key, leaveOpen: true))
            writer.Write(plaintext);
        return target.ToArray();
    }

    private static byte[] Decrypt(byte[] stored) => CodecSamples.ReadAll(new SecretStreamReader(new MemoryStream(stored), s_key, "sample"));
}
