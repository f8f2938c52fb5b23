using FsCheck;
using FsCheck.Fluent;
using PgBackup.Codecs;
using PgBackup.Errors;
using Xunit;

namespace PgBackup.Tests.Codecs;

/// <summary>Any sequence of writes comes back as it was; failures of the destination reach the writer.</summary>
public sealed class ParallelEncoderTests
{
    [Theory]
    [InlineData(CompressionMethod.Zstd)]
    [InlineData(CompressionMethod.Lz4)]
    [InlineData(CompressionMethod.Brotli)]
    [InlineData(CompressionMethod.Gzip)]
    [InlineData(CompressionMethod.None)]
    public void EveryPartitionOfTheInputRoundTrips(CompressionMethod method)
    {
        Gen<(int[] Sizes, int Workers, int Seed)> inputs =
            from count in Gen.Choose(0, 12)
            from sizes in Gen.Frequency((4, Gen.Choose(0, 100_000)), (1, Gen.Choose(0, 3 * ParallelEncoder.BlockSize)), (1, Gen.Constant(ParallelEncoder.BlockSize))).ArrayOf(count)
            from workers in Gen.Choose(1, 5)
            from seed in Gen.Choose(0, int.MaxValue)
            select (sizes, workers, seed);
        Prop.ForAll(inputs.ToArbitrary(), input => RoundTripsAsync(method, input.Sizes, input.Workers, input.Seed).GetAwaiter().GetResult())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(12));
    }

    [Fact]
    public async Task FillingTheRoomItselfIsAWrite()
    {
        byte[] content = Content(5 * ParallelEncoder.BlockSize / 2, 1);
        using var stored = new MemoryStream();
        await using (ParallelEncoder encoder = ParallelEncoder.Open(stored, CompressionMethod.Zstd, 1, 2))
        {
            for (int at = 0; at < content.Length;)
            {
                int count = Math.Min(Math.Min(encoder.Free.Length, 70_000), content.Length - at);
                content.AsMemory(at, count).CopyTo(encoder.Free);
                await encoder.AdvanceAsync(count);
                at += count;
            }
            await encoder.CompleteAsync();
        }
        Assert.Equal(content, await DecodeAsync(stored, CompressionMethod.Zstd));
    }

    [Fact]
    public async Task AFailureOfTheDestinationReachesTheWriter()
    {
        byte[] content = Content(ParallelEncoder.BlockSize, 2);
        await using ParallelEncoder encoder = ParallelEncoder.Open(new FullStream(3), CompressionMethod.None, null, 2);
        IOException error = await Assert.ThrowsAsync<IOException>(async () =>
        {
            for (int i = 0; i < 100; i++)
                await encoder.WriteAsync(content);
        });
        Assert.Equal("full", error.Message);
        await Assert.ThrowsAsync<IOException>(() => encoder.CompleteAsync());
    }

    [Fact]
    public async Task NoMoreThanItsShareIsHeld()
    {
        byte[] content = Content(ParallelEncoder.BlockSize, 3);
        var gate = new FullStream(int.MaxValue) { Gate = new SemaphoreSlim(0) };
        await using ParallelEncoder encoder = ParallelEncoder.Open(gate, CompressionMethod.None, null, 2);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        int taken = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            for (; taken < 100; taken++)
                await encoder.WriteAsync(content, limit.Token);
        });
        Assert.InRange(taken, 2, 4);
        gate.Gate.Release(1000);
    }

    [Fact]
    public async Task WhatIsNotCompletedHasNoEnd()
    {
        using var stored = new MemoryStream();
        await using (ParallelEncoder encoder = ParallelEncoder.Open(stored, CompressionMethod.Lz4, null, 2))
            await encoder.WriteAsync(Content(100_000, 4));
        await Assert.ThrowsAsync<PgBackupException>(() => DecodeAsync(stored, CompressionMethod.Lz4));
    }

    private static async Task RoundTripsAsync(CompressionMethod method, int[] sizes, int workers, int seed)
    {
        byte[] content = Content(sizes.Sum(), seed);
        using var stored = new MemoryStream();
        await using (ParallelEncoder encoder = ParallelEncoder.Open(stored, method, method == CompressionMethod.Brotli ? 1 : null, workers))
        {
            int at = 0;
            foreach (int size in sizes)
            {
                await encoder.WriteAsync(content.AsMemory(at, size));
                at += size;
            }
            await encoder.CompleteAsync();
        }
        byte[] decoded = await DecodeAsync(stored, method);
        Assert.True(content.AsSpan().SequenceEqual(decoded), $"{method}: {string.Join(", ", sizes)}");
    }

    private static async Task<byte[]> DecodeAsync(MemoryStream stored, CompressionMethod method)
    {
        stored.Position = 0;
        await using Stream decoded = StreamDecoder.Open(stored, method, leaveOpen: true);
        using var content = new MemoryStream();
        await decoded.CopyToAsync(content);
        return content.ToArray();
    }

    // Half of it compresses.
    private static byte[] Content(int length, int seed)
    {
        byte[] content = new byte[length];
        new Random(seed).NextBytes(content.AsSpan(0, length / 2));
        return content;
    }

    private sealed class FullStream(int writes) : MemoryStream
    {
        private int _left = writes;

        public SemaphoreSlim? Gate { get; init; }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Gate is not null)
                await Gate.WaitAsync(cancellationToken);
            if (_left-- == 0)
                throw new IOException("full");
        }
    }
}
