using System.Buffers.Binary;
using PgBackup.Codecs;

namespace PgBackup.Tests.Codecs;

/// <summary>What other programs write is read, and they read what we write.</summary>
public sealed class StockToolTests
{
    private static readonly byte[] s_plaintext = [.. CodecSamples.Text(700_000), .. CodecSamples.Noise(300_000), .. new byte[5_000_000], .. CodecSamples.Text(4_000_000, 9)];

    [Theory]
    [InlineData(CompressionMethod.Zstd, "zstd")]
    [InlineData(CompressionMethod.Lz4, "lz4")]
    public void The_stock_tool_reads_our_parts(CompressionMethod method, string tool)
    {
        using PartEncoder encoder = PartEncoder.Create(method);
        byte[] part = CodecSamples.EncodePart(encoder, s_plaintext.Chunk(1_300_007));
        Assert.Equal(s_plaintext, CodecSamples.Tool(tool, ["-d", "-c"], part));
        Assert.Empty(CodecSamples.Tool(tool, ["-d", "-c"], CodecSamples.EncodePart(encoder, [])));
    }

    [Fact]
    public void A_chunk_beyond_the_largest_lz4_block_becomes_several()
    {
        using PartEncoder encoder = PartEncoder.Create(CompressionMethod.Lz4);
        byte[] part = CodecSamples.EncodePart(encoder, [s_plaintext]);
        Assert.Equal(s_plaintext, CodecSamples.Tool("lz4", ["-d", "-c"], part));
    }

    [Theory]
    [InlineData(CompressionMethod.Zstd, "zstd", "-q -c")]
    [InlineData(CompressionMethod.Zstd, "zstd", "-q -c --no-check -19 --long=27")]
    [InlineData(CompressionMethod.Zstd, "zstd", "-q -c --fast=5 -T2 -B512K")]
    [InlineData(CompressionMethod.Lz4, "lz4", "-q -c")]
    [InlineData(CompressionMethod.Lz4, "lz4", "-q -c -B4 -BD -9")]
    [InlineData(CompressionMethod.Lz4, "lz4", "-q -c -B5 -BX -BD")]
    [InlineData(CompressionMethod.Lz4, "lz4", "-q -c -B7 -BI --no-frame-crc")]
    [InlineData(CompressionMethod.Lzma, "xz", "--format=lzma -c -0")]
    [InlineData(CompressionMethod.Lzma, "xz", "--format=lzma -c --lzma1=dict=4096,lc=0,lp=2,pb=0")]
    [InlineData(CompressionMethod.Lzma, "xz", "--format=lzma -c --lzma1=preset=3,lc=1,lp=3,pb=4")]
    [InlineData(CompressionMethod.Gzip, "gzip", "-c -1")]
    public void What_the_stock_tool_writes_is_read(CompressionMethod method, string tool, string arguments) =>
        Assert.Equal(s_plaintext, CodecSamples.Decode(method, CodecSamples.Tool(tool, arguments.Split(' '), s_plaintext)));

    [Theory]
    [InlineData(CompressionMethod.Zstd, "zstd")]
    [InlineData(CompressionMethod.Lz4, "lz4")]
    public void Frames_in_a_row_with_skippable_ones_between_are_read_to_the_end(CompressionMethod method, string tool)
    {
        byte[] a = CodecSamples.Tool(tool, ["-q", "-c"], s_plaintext);
        byte[] b = CodecSamples.Encode(method, CodecSamples.Text(10));
        byte[] stored = [.. Skippable(12), .. a, .. Skippable(0), .. Skippable(3_000_000), .. b, .. b, .. Skippable(1)];
        byte[] expected = [.. s_plaintext, .. CodecSamples.Text(10), .. CodecSamples.Text(10)];
        Assert.Equal(expected, CodecSamples.Decode(method, stored));
        Assert.Equal(expected, CodecSamples.Tool(tool, ["-d", "-c"], stored));
        CodecSamples.AssertFails("ObjectDamaged", () => CodecSamples.Decode(method, stored[..^1]));
    }

    [Fact]
    public void Gzip_members_in_a_row_are_read_to_the_end()
    {
        byte[] a = CodecSamples.Tool("gzip", ["-c"], s_plaintext);
        byte[] b = CodecSamples.Tool("gzip", ["-c"], []);
        Assert.Equal([.. s_plaintext, .. s_plaintext], CodecSamples.ReadAll(StreamDecoder.Open(new SlowStream([.. a, .. b, .. a, .. b], 4099), CompressionMethod.Gzip)));
    }

    [Fact]
    public void An_lzma_size_in_the_header_is_demanded()
    {
        byte[] plaintext = CodecSamples.Text(3000);
        byte[] stored = CodecSamples.Tool("xz", ["--format=lzma", "-c"], plaintext);
        BinaryPrimitives.WriteInt64LittleEndian(stored.AsSpan(5), 3000);
        Assert.Equal(plaintext, CodecSamples.Decode(CompressionMethod.Lzma, stored));
        foreach (long size in new[] { 0L, 1, 2999, 3001, long.MaxValue, long.MinValue })
        {
            BinaryPrimitives.WriteInt64LittleEndian(stored.AsSpan(5), size);
            CodecSamples.AssertFails("ObjectDamaged", () => CodecSamples.Decode(CompressionMethod.Lzma, stored));
        }
    }

    [Fact]
    public void An_lzma_stream_with_a_size_and_no_end_marker_is_read()
    {
        // Size 0: the five bytes of the range coder alone.
        byte[] empty = [0x5D, 0, 0, 0x80, 0, .. new byte[8], .. new byte[5]];
        Assert.Empty(CodecSamples.Decode(CompressionMethod.Lzma, empty));
        CodecSamples.AssertFails("ObjectDamaged", () => CodecSamples.Decode(CompressionMethod.Lzma, empty[..^1]));
    }

    [Fact]
    public void A_zstd_window_of_512_MiB_is_read_and_a_larger_one_is_refused()
    {
        byte[] plaintext = CodecSamples.Text(1_000_000);
        byte[] WithWindow(int log) => CodecSamples.Tool("zstd", ["-q", "-c", "--no-check", $"--zstd=wlog={log}"], plaintext);
        Assert.Equal(plaintext, CodecSamples.Decode(CompressionMethod.Zstd, WithWindow(27)));
        byte[] frame = WithWindow(20);
        // The descriptor, then the exponent of the window in five bits (RFC 8878, Window_Descriptor).
        Assert.Equal(0, frame[4] & 0x20);
        frame[5] = (29 - 10) << 3;
        Assert.Equal(plaintext, CodecSamples.Decode(CompressionMethod.Zstd, frame));
        frame[5] = (30 - 10) << 3;
        CodecSamples.AssertFails("ObjectDamaged", () => CodecSamples.Decode(CompressionMethod.Zstd, frame));
    }

    [Fact]
    public void What_WAL_G_writes_with_lz4_is_read()
    {
        byte[] tar = CodecSamples.Decode(CompressionMethod.Lz4, CodecSamples.Fixture("backup_label.tar.lz4"));
        Assert.Equal("backup_label", System.Text.Encoding.ASCII.GetString(tar, 0, 12));
        Assert.Equal(0, tar.Length % 512);
    }

    private static byte[] Skippable(int length)
    {
        byte[] frame = new byte[8 + length];
        BinaryPrimitives.WriteUInt32LittleEndian(frame, 0x184D2A5B);
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(4), length);
        return frame;
    }
}
