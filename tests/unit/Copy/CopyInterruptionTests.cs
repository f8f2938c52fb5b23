using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using PgBackup.Copy;
using PgBackup.PowerShell.Backups;
using PgBackup.Repository;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Copy;

public sealed class CopyInterruptionTests : IDisposable
{
    private const int Parts = 40;
    private const int PartSize = 1 << 20;

    private readonly CopyLab _lab = new();
    private readonly string _name;

    public CopyInterruptionTests()
    {
        _name = CopyLab.PutBackup(_lab.SourcePath, 1, 5, 6);
        CopyLab.PutWal(_lab.SourcePath, CopyLab.Segment(1, 5) + ".zst");
        CopyLab.PutWal(_lab.SourcePath, CopyLab.Segment(1, 6) + ".zst");
        byte[] content = new byte[PartSize];
        for (int i = 0; i < Parts; i++)
        {
            Random.Shared.NextBytes(content);
            CopyLab.Put(_lab.SourcePath, $"basebackups_005/{_name}/tar_partitions/part_{i + 100}.tar.zst", content);
        }
    }

    public void Dispose() => _lab.Dispose();

    /// <summary>kill -9 in the middle, again and again at other places: nothing half is listed, and what the journal knows is not copied again.</summary>
    [Fact]
    public async Task AKilledCopyGoesOnWhereItStood()
    {
        string parts = Path.Combine(_lab.TargetPath, $"basebackups_005/{_name}/tar_partitions");
        string journal = Path.Combine(_lab.TargetPath, CopyJournal.KeyFor(_lab.SourcePath));
        int there = 0;
        foreach (int goal in (int[])[10, 20])
        {
            using Process process = Start("-RateLimit 3MB -ThrottleLimit 2");
            Task<string> error = process.StandardError.ReadToEndAsync();
            DateTime begun = DateTime.UtcNow;
            // Far enough, and noted.
            while (Count(parts) < goal || !File.Exists(journal) || File.GetLastWriteTimeUtc(journal) < begun)
            {
                if (process.HasExited || DateTime.UtcNow - begun > TimeSpan.FromSeconds(60))
                    Assert.Fail($"It did not come so far. {await error}");
                await Task.Delay(5);
            }
            process.Kill();
            await process.WaitForExitAsync();
            Assert.DoesNotContain(await _lab.TargetCatalogAsync(), b => b.Status is BackupStatus.Complete or BackupStatus.InProgress);
            there = Count(parts);
        }
        Assert.True(there >= 20);

        using JsonDocument noted = JsonDocument.Parse(await File.ReadAllBytesAsync(journal));
        int known = noted.RootElement.GetProperty("Objects").GetArrayLength();
        Assert.InRange(known, 1, there + 2);
        BackupCopyResult result = Assert.Single(await _lab.CopyAsync());
        Assert.Equal(BackupCopyStatus.Copied, result.Status);
        Assert.True(result.SkippedCount >= known, $"Only {result.SkippedCount} objects of {known} were taken over.");
        await _lab.RequireRestorableAsync(plan: false);
        Assert.Empty(CopyLab.Files(_lab.TargetPath, "pgbackup_v1"));
        Assert.DoesNotContain(CopyLab.Files(_lab.TargetPath, "basebackups_005"), f => f.Contains(".tmp.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AStoppedCopyWritesItsJournalAndNothingIsListed()
    {
        using var stop = new CancellationTokenSource();
        string parts = Path.Combine(_lab.TargetPath, $"basebackups_005/{_name}/tar_partitions");
        Task<List<BackupCopyResult>> running = _lab.CopyAsync(null, new CopyOptions { RateLimit = new ByteSize(20 << 20) }, stop.Token);
        while (Count(parts) < 8 && !running.IsCompleted)
            await Task.Delay(2);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Equal(BackupStatus.Unfinished, Assert.Single(await _lab.TargetCatalogAsync()).Status);
        Assert.Empty(Directory.GetFiles(_lab.TargetPath, "*.tmp.*", SearchOption.AllDirectories));
        Assert.False(File.Exists(Path.Combine(_lab.TargetPath, BackupLease.CopyKey)));

        BackupCopyResult result = Assert.Single(await _lab.CopyAsync());
        // Those in flight were there, but not proven yet.
        Assert.True(result.SkippedCount >= 8 - CopyOptions.DefaultThrottleLimit, $"Only {result.SkippedCount} objects were taken over.");
        await _lab.RequireRestorableAsync(plan: false);
    }

    [Fact]
    public async Task AnObjectThatChangedSinceTheJournalIsCopiedAnew()
    {
        string part = Path.Combine(_lab.SourcePath, $"basebackups_005/{_name}/tar_partitions/part_139.tar.zst");
        string missing = Path.Combine(_lab.SourcePath, "wal_005", CopyLab.Segment(1, 6) + ".zst");
        await using (RepositoryCopy copy = await _lab.PrepareAsync())
        {
            File.Move(missing, missing + "x");
            Assert.Equal("ObjectNotFound", Assert.Single(await copy.RunAsync().ToListAsync()).Failure?.Id);
        }
        File.Move(missing + "x", missing);
        byte[] content = new byte[PartSize];
        Random.Shared.NextBytes(content);
        await File.WriteAllBytesAsync(part, content);
        BackupCopyResult result = Assert.Single(await _lab.CopyAsync());
        Assert.InRange(result.Size.Bytes, PartSize, 2 * PartSize);
        await _lab.RequireRestorableAsync(plan: false);
    }

    [Fact]
    public async Task TheRateIsKept()
    {
        var clock = Stopwatch.StartNew();
        await _lab.CopyAsync(null, new CopyOptions { RateLimit = new ByteSize(20 << 20), ThrottleLimit = 8 });
        Assert.True(clock.Elapsed > TimeSpan.FromSeconds(1.7), $"{clock.Elapsed}");
    }

    private static int Count(string folder) =>
        Directory.Exists(folder) ? Directory.GetFiles(folder, "part_*").Count(f => !f.Contains(".tmp.", StringComparison.Ordinal)) : 0;

    private Process Start(string arguments)
    {
        ProcessStartInfo start = ShellProcess.Host.StartInfo(
            "-Command",
            $"Import-Module '{typeof(CopyPgBackupCommand).Assembly.Location}'; Copy-PgBackup -Repository '{_lab.SourcePath}' -Destination '{_lab.TargetPath}' {arguments}");
        // Native libraries lie beside the tests as packages bring them, not as in the module.
        start.Environment["LD_LIBRARY_PATH"] = Path.Combine(AppContext.BaseDirectory, "runtimes", RuntimeInformation.RuntimeIdentifier, "native");
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        return Process.Start(start)!;
    }
}
