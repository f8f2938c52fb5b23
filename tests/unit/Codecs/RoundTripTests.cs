using FsCheck;
using FsCheck.Fluent;
using PgBackup.Codecs;

namespace PgBackup.Tests.Codecs;

public sealed class RoundTripTests
{
    public static TheoryData<CompressionMethod> Writable => new(CompressionNames.Writable);

    public static TheoryData<CompressionMethod> Readable => new(CompressionNames.Readable);

    [Theory]
    [MemberData(nameof(Writable))]
    public void Parts_of_any_chunks_decode_to_the_chunks(CompressionMethod method)
    {
        using PartEncoder encoder = PartEncoder.Create(method);
        Check.QuickThrowOnFailure(Prop.ForAll<byte[][]>(chunks =>
        {
            byte[] part = CodecSamples.EncodePart(encoder, chunks);
            return CodecSamples.Decode(method, part).SequenceEqual(chunks.SelectMany(c => c));
        }));
    }

    [Theory]
    [MemberData(nameof(Readable))]
    public async Task Any_pace_of_reading_gives_the_same_bytes(CompressionMethod method)
    {
        byte[] plaintext = [.. CodecSamples.Text(150_000), .. CodecSamples.Noise(70_000), .. new byte[90_000]];
        byte[] stored = CodecSamples.Encode(method, plaintext);
        foreach ((int step, int piece) in new[] { (1, 8192), (7, 3), (4096, 1), (1 << 20, 1 << 20), (8209, 100_000) })
            Assert.Equal(plaintext, await CodecSamples.ReadInPiecesAsync(StreamDecoder.Open(new SlowStream(stored, step), method), piece));
    }

    [Theory]
    [MemberData(nameof(Readable))]
    public void Large_objects_survive(CompressionMethod method)
    {
        byte[] plaintext = [.. CodecSamples.Text(5_000_000), .. CodecSamples.Noise(4_500_000), .. new byte[3_000_000], .. CodecSamples.Text(1_000_001, 3)];
        Assert.Equal(plaintext, CodecSamples.Decode(method, CodecSamples.Encode(method, plaintext)));
    }

    [Theory]
    [MemberData(nameof(Writable))]
    public async Task The_asynchronous_writer_writes_the_same(CompressionMethod method)
    {
        byte[] plaintext = CodecSamples.Text(9_000_000);
        var target = new MemoryStream();
        await using (Stream stream = StreamEncoder.Open(target, method, leaveOpen: true))
        {
            for (int at = 0; at < plaintext.Length; at += 100_003)
                await stream.WriteAsync(plaintext.AsMemory(at, Math.Min(100_003, plaintext.Length - at)));
        }
        Assert.Equal(CodecSamples.Encode(method, plaintext), target.ToArray());
    }

    [Theory]
    [MemberData(nameof(Readable))]
    public void An_empty_plaintext_is_an_object_of_its_own(CompressionMethod method)
    {
        byte[] stored = CodecSamples.Encode(method, []);
        Assert.Empty(CodecSamples.Decode(method, stored));
        Assert.Equal(method == CompressionMethod.None, stored.Length == 0);
    }

    [Theory]
    [MemberData(nameof(Writable))]
    public async Task Chunks_are_encoded_on_many_threads(CompressionMethod method)
    {
        byte[][] chunks = [.. Enumerable.Range(0, 64).Select(i => CodecSamples.Text(50_000 + i, i))];
        using PartEncoder encoder = PartEncoder.Create(method);
        byte[][] encoded = new byte[chunks.Length][];
        await Parallel.ForEachAsync(Enumerable.Range(0, chunks.Length), new ParallelOptions { MaxDegreeOfParallelism = 8 }, (i, _) =>
        {
            byte[] room = new byte[encoder.MaxEncodedLength(chunks[i].Length)];
            encoded[i] = room[..encoder.Encode(chunks[i], room)];
            return ValueTask.CompletedTask;
        });
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        using PartStream part = encoder.BeginPart();
        for (int i = 0; i < chunks.Length; i++)
            part.Append(chunks[i], encoded[i], output);
        part.Complete(output);
        Assert.Equal(chunks.SelectMany(c => c), CodecSamples.Decode(method, output.WrittenSpan.ToArray()));
    }

    [Theory]
    [InlineData(CompressionMethod.Zstd, -5)]
    [InlineData(CompressionMethod.Zstd, 1)]
    [InlineData(CompressionMethod.Zstd, 19)]
    [InlineData(CompressionMethod.Lz4, 1)]
    [InlineData(CompressionMethod.Lz4, 9)]
    [InlineData(CompressionMethod.Brotli, 0)]
    [InlineData(CompressionMethod.Brotli, 9)]
    public void Levels_are_honoured(CompressionMethod method, int level)
    {
        byte[] plaintext = CodecSamples.Text(300_000);
        using PartEncoder encoder = PartEncoder.Create(method, level);
        byte[] part = CodecSamples.EncodePart(encoder, [plaintext]);
        Assert.Equal(plaintext, CodecSamples.Decode(method, part));
        using PartEncoder standard = PartEncoder.Create(method);
        int usual = CodecSamples.EncodePart(standard, [plaintext]).Length;
        if (level >= 9)
            Assert.True(part.Length < usual, $"{part.Length} is not less than {usual}");
        else
            Assert.True(part.Length >= usual, $"{part.Length} is less than {usual}");
    }

    [Fact]
    public void Levels_out_of_range_and_methods_that_are_only_read_are_refused()
    {
        CodecSamples.AssertFails("CompressionLevelInvalid", () => PartEncoder.Create(CompressionMethod.Zstd, 23));
        CodecSamples.AssertFails("CompressionLevelInvalid", () => PartEncoder.Create(CompressionMethod.Lz4, 0));
        CodecSamples.AssertFails("CompressionLevelInvalid", () => PartEncoder.Create(CompressionMethod.Brotli, 12));
        CodecSamples.AssertFails("CompressionMethodReadOnly", () => PartEncoder.Create(CompressionMethod.Lzma));
        CodecSamples.AssertFails("CompressionMethodReadOnly", () => StreamEncoder.Open(Stream.Null, CompressionMethod.Gzip));
    }

    [Fact]
    public void A_writer_whose_destination_failed_does_not_end_the_object_as_if_it_were_whole()
    {
        var target = new FailingStream();
        Stream stream = StreamEncoder.Open(target, CompressionMethod.None);
        Assert.Throws<IOException>(() => stream.Write(new byte[5 << 20]));
        stream.Dispose();
        Assert.Equal(1, target.Writes);
    }

    private sealed class FailingStream : MemoryStream
    {
        internal int Writes { get; private set; }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Writes++;
            throw new IOException("full");
        }
    }
}
