using PgBackup.Backup.Packing;
using PgBackup.Codecs;
using PgBackup.Errors;

namespace PgBackup.Tests.Backup.Packing;

public sealed class PackingPipelineTests
{
    [Fact]
    public async Task AWorkerThatGivesUpByItselfIsAFailure()
    {
        using PackedFolder packed = Filled();
        // Nobody asked to stop: a time limit somewhere below ended it.
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => packed.PackAsync(1 << 30, job => job.PieceOffset > 8 << 20 ? throw new TaskCanceledException() : Task.CompletedTask));
        AssertNothingLeft(packed);
    }

    [Fact]
    public async Task TheFirstFailureIsTold()
    {
        for (int round = 0; round < 20; round++)
        {
            using PackedFolder packed = Filled();
            int count = 0;
            int failAt = round;
            PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => packed.PackAsync(1, job =>
                Interlocked.Increment(ref count) > failAt ? throw PgErrors.DataFileUnreadable("file", new IOException("broken")) : Task.CompletedTask));
            Assert.Equal("DataFileUnreadable", error.Id);
            AssertNothingLeft(packed);
        }
    }

    [Fact]
    public async Task StoppedAtAnyMomentItLeavesNoFileOpen()
    {
        for (int round = 0; round < 20; round++)
        {
            using PackedFolder packed = Filled();
            using var stop = new CancellationTokenSource();
            int count = 0;
            int stopAt = round / 2;
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => packed.PackAsync(
                1 << 30, async _ =>
                {
                    if (Interlocked.Increment(ref count) > stopAt)
                        await stop.CancelAsync();
                }, stop.Token));
            AssertNothingLeft(packed);
        }
    }

    private static PackedFolder Filled()
    {
        var packed = new PackedFolder(CompressionMethod.Zstd, null);
        for (int i = 0; i < 10; i++)
            File.WriteAllBytes(Path.Combine(packed.Source, $"small{i}"), new byte[20_000]);
        for (int i = 0; i < 4; i++)
            File.WriteAllBytes(Path.Combine(packed.Source, $"big{i}"), new byte[14 << 20]);
        return packed;
    }

    // Parts that were complete are whole objects; the one in flight is gone, and no file is held open by a count that was lost.
    private static void AssertNothingLeft(PackedFolder packed)
    {
        Assert.Equal(0, packed.OpenFiles());
        if (Directory.Exists(packed.PartFolder))
            Assert.DoesNotContain(Directory.GetFiles(packed.PartFolder), f => f.Contains(".tmp.", StringComparison.Ordinal));
    }
}
