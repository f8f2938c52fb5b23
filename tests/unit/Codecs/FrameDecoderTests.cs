using FsCheck;
using FsCheck.Fluent;
using PgBackup.Codecs;
using PgBackup.Errors;

namespace PgBackup.Tests.Codecs;

public sealed class FrameDecoderTests
{
    [Fact]
    public void Every_chunk_of_a_zstd_part_decodes_alone()
    {
        using PartEncoder encoder = PartEncoder.Create(CompressionMethod.Zstd);
        using var decoder = new FrameDecoder();
        Assert.True(encoder.ChunksAreIndependent);
        Check.QuickThrowOnFailure(Prop.ForAll<byte[]>(chunk =>
        {
            byte[] plaintext = new byte[chunk.Length];
            return decoder.Decode(Frame(encoder, chunk), plaintext) == chunk.Length && plaintext.SequenceEqual(chunk);
        }));
    }

    [Fact]
    public void Truncated_lengthened_and_flipped_frames_are_found()
    {
        using PartEncoder encoder = PartEncoder.Create(CompressionMethod.Zstd);
        using var decoder = new FrameDecoder();
        byte[] chunk = CodecSamples.Text(600);
        byte[] frame = Frame(encoder, chunk);
        byte[] plaintext = new byte[chunk.Length];
        for (int length = 0; length < frame.Length; length++)
            CodecSamples.AssertFails("ObjectDamaged", () => decoder.Decode(frame.AsSpan(0, length), plaintext));
        int harmless = 0;
        for (int bit = 0; bit < frame.Length * 8; bit++)
        {
            byte[] damaged = [.. frame];
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            try
            {
                decoder.Decode(damaged, plaintext);
                Assert.Equal(chunk, plaintext);
                harmless++;
            }
            catch (PgBackupException e) when (e.Id == "ObjectDamaged")
            {
                plaintext.AsSpan().Clear();
            }
        }
        // The bit that RFC 8878 leaves unused in the frame header descriptor, and a few in which a table can be spelled in two ways.
        Assert.InRange(harmless, 1, 8);
        CodecSamples.AssertFails("ObjectDamaged", () => decoder.Decode([.. frame, 0], plaintext));
        CodecSamples.AssertFails("ObjectDamaged", () => decoder.Decode([.. frame, .. frame], new byte[1200]));
        CodecSamples.AssertFails("ObjectDamaged", () => decoder.Decode(frame, new byte[599]));
        CodecSamples.AssertFails("ObjectDamaged", () => decoder.Decode(frame, new byte[601]));
        Assert.Equal(600, decoder.Decode(frame, plaintext));
        Assert.Equal(chunk, plaintext);
    }

    [Fact]
    public void A_frame_without_a_checksum_is_refused()
    {
        using var decoder = new FrameDecoder();
        byte[] chunk = CodecSamples.Text(600);
        byte[] frame = CodecSamples.Tool("zstd", ["-q", "-c", "--no-check"], chunk);
        CodecSamples.AssertFails("ObjectDamaged", () => decoder.Decode(frame, new byte[600]));
    }

    [Fact]
    public async Task Many_threads_decode_at_once()
    {
        using PartEncoder encoder = PartEncoder.Create(CompressionMethod.Zstd);
        using var decoder = new FrameDecoder();
        await Parallel.ForEachAsync(Enumerable.Range(0, 200), new ParallelOptions { MaxDegreeOfParallelism = 8 }, (i, _) =>
        {
            byte[] chunk = CodecSamples.Text(1000 + i, i);
            byte[] plaintext = new byte[chunk.Length];
            decoder.Decode(Frame(encoder, chunk), plaintext);
            Assert.Equal(chunk, plaintext);
            return ValueTask.CompletedTask;
        });
    }

    private static byte[] Frame(PartEncoder encoder, byte[] chunk)
    {
        byte[] room = new byte[encoder.MaxEncodedLength(chunk.Length)];
        return room[..encoder.Encode(chunk, room)];
    }
}
