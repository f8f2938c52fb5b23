using PgBackup.Storage.S3;

namespace PgBackup.Tests.Storage.S3;

public sealed class BufferBudgetTests
{
    private const long Part = 4 * Segment.Size;

    [Theory]
    [InlineData(1, 8)]
    [InlineData(8, 8)]
    [InlineData(30, 8)]
    [InlineData(8, 0)]
    public async Task WritersBesideOneAnotherNeverWaitForEver(int writers, int limitInParts)
    {
        var budget = new BufferBudget(limitInParts * Part);
        long most = 0;
        await Task.WhenAll(Enumerable.Range(0, writers).Select(_ => Task.Run(async () =>
        {
            for (int part = 0; part < 5; part++)
            {
                var buffer = new SegmentBuffer(budget);
                byte[] bytes = new byte[Segment.Size];
                while (buffer.Length < Part)
                    buffer.Append(bytes);
                await budget.BeginFlightAsync(Part, CancellationToken.None);
                long used = budget.Used;
                if (used > Volatile.Read(ref most))
                    Volatile.Write(ref most, used);
                await Task.Delay(1);
                buffer.Dispose();
                budget.EndFlight(Part);
            }
        }))).WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal(0, budget.Used);
        // What is being filled is always granted; beyond it stands the limit, or two parts in flight.
        Assert.InRange(most, Part, Math.Max(limitInParts, 2) * Part + (writers * Part));
    }

    [Fact]
    public void ABufferGivesBackWhatWasPutIntoIt()
    {
        var budget = new BufferBudget(Part);
        byte[] content = new byte[(2 * Segment.Size) + 17];
        new Random(1).NextBytes(content);
        using (var buffer = new SegmentBuffer(budget))
        {
            buffer.Append(content.AsSpan(0, 1_000));
            buffer.Append(content.AsSpan(1_000));
            Assert.Equal(content.Length, buffer.Length);
            Assert.True(content.AsSpan(Segment.Size + 5, 100).SequenceEqual(buffer.At(Segment.Size + 5).Span[..100]));
            Assert.True(buffer.At(content.Length).IsEmpty);
            (byte[] md5, byte[] crc) = buffer.Digest();
            Assert.Equal(System.Security.Cryptography.MD5.HashData(content), md5);
            Assert.Equal(System.IO.Hashing.Crc32.HashToUInt32(content), System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(crc));
        }
        Assert.Equal(0, budget.Used);
    }
}
