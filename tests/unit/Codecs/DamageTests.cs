using PgBackup.Codecs;
using PgBackup.Errors;

namespace PgBackup.Tests.Codecs;

public sealed class DamageTests
{
    // None has no end mark and no checksum; nothing can be found.
    public static TheoryData<CompressionMethod> WithEndMark => new(CompressionNames.Readable.Where(m => m != CompressionMethod.None));

    public static TheoryData<CompressionMethod> WithChecksum => new(CompressionMethod.Zstd, CompressionMethod.Lz4, CompressionMethod.Gzip);

    public static TheoryData<CompressionMethod> WithoutChecksum => new(CompressionMethod.Brotli, CompressionMethod.Lzma);

    [Theory]
    [MemberData(nameof(WithEndMark))]
    public void Truncation_is_found_at_every_position(CompressionMethod method)
    {
        foreach (int size in new[] { 0, 1, 700, 5000 })
        {
            byte[] stored = CodecSamples.Encode(method, CodecSamples.Text(size));
            for (int length = 0; length < stored.Length; length++)
            {
                PgBackupException error = CodecSamples.AssertFails("ObjectDamaged", () => CodecSamples.Decode(method, stored[..length]));
                Assert.Equal((ErrorKind.InvalidData, ExitCodes.VerificationFailed), (error.Kind, error.ExitCode));
                Assert.Contains("sample", error.Message, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [MemberData(nameof(WithEndMark))]
    public async Task Truncation_is_found_when_reading_asynchronously(CompressionMethod method)
    {
        byte[] stored = CodecSamples.Encode(method, CodecSamples.Noise(3000));
        foreach (int length in new[] { 0, 1, stored.Length / 2, stored.Length - 1 })
        {
            PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(
                () => CodecSamples.ReadInPiecesAsync(StreamDecoder.Open(new SlowStream(stored[..length], 5), method), 700));
            Assert.Equal("ObjectDamaged", error.Id);
        }
    }

    [Theory]
    [MemberData(nameof(WithChecksum))]
    public void Every_flipped_bit_is_found_or_changes_nothing(CompressionMethod method)
    {
        byte[] plaintext = CodecSamples.Text(700);
        byte[] stored = CodecSamples.Encode(method, plaintext);
        int found = 0;
        for (int bit = 0; bit < stored.Length * 8; bit++)
        {
            if (DecodeFlipped(method, stored, bit) is { } decoded)
                Assert.Equal(plaintext, decoded);
            else
                found++;
        }
        // What may change nothing is a few bits of headers (gzip: time, system, flags).
        Assert.InRange(found, stored.Length * 8 - 90, stored.Length * 8);
    }

    [Theory]
    [MemberData(nameof(WithoutChecksum))]
    public void A_flipped_bit_gives_bytes_or_the_error_and_nothing_else(CompressionMethod method)
    {
        byte[] stored = CodecSamples.Encode(method, CodecSamples.Text(700));
        int found = 0;
        for (int bit = 0; bit < stored.Length * 8; bit++)
            found += DecodeFlipped(method, stored, bit) is null ? 1 : 0;
        Assert.InRange(found, 50, stored.Length * 8);
    }

    [Theory]
    [MemberData(nameof(WithEndMark))]
    public void Bytes_behind_the_end_are_found(CompressionMethod method)
    {
        byte[] stored = CodecSamples.Encode(method, CodecSamples.Text(700));
        foreach (int count in new[] { 1, 3, 4, 8, 20, 1000 })
        {
            CodecSamples.AssertFails("ObjectDamaged", () => CodecSamples.Decode(method, [.. stored, .. new byte[count]]));
            CodecSamples.AssertFails("ObjectDamaged", () => CodecSamples.Decode(method, [.. stored, .. CodecSamples.Noise(count)]));
        }
    }

    [Theory]
    [MemberData(nameof(WithEndMark))]
    public void Noise_is_refused(CompressionMethod method)
    {
        for (int seed = 0; seed < 300; seed++)
        {
            byte[] noise = CodecSamples.Noise(1 + seed * 7, seed);
            // A few random bytes can be a whole Brotli stream.
            if (method == CompressionMethod.Brotli && noise.Length < 64)
                continue;
            CodecSamples.AssertFails("ObjectDamaged", () => CodecSamples.Decode(method, noise));
        }
    }

    [Fact]
    public void A_block_that_is_missing_from_an_lz4_frame_is_found()
    {
        using PartEncoder encoder = PartEncoder.Create(CompressionMethod.Lz4);
        byte[][] chunks = [CodecSamples.Text(100), CodecSamples.Text(200, 5), CodecSamples.Text(300, 6)];
        byte[] first = new byte[encoder.MaxEncodedLength(100)];
        int firstLength = encoder.Encode(chunks[0], first);
        byte[] part = CodecSamples.EncodePart(encoder, chunks);
        byte[] without = [.. part[..7], .. part[(7 + firstLength)..]];
        CodecSamples.AssertFails("ObjectDamaged", () => CodecSamples.Decode(CompressionMethod.Lz4, without));
    }

    private static byte[]? DecodeFlipped(CompressionMethod method, byte[] stored, int bit)
    {
        byte[] damaged = [.. stored];
        damaged[bit / 8] ^= (byte)(1 << (bit % 8));
        try
        {
            return CodecSamples.Decode(method, damaged);
        }
        catch (PgBackupException e) when (e.Id == "ObjectDamaged")
        {
            return null;
        }
    }
}
