using PgBackup.Repository;
using PgBackup.Tests.Kit;
using PgBackup.Wal.Integrity;

namespace PgBackup.Tests.Wal.Integrity;

/// <summary>An archive that ends, in the segment in which its backup ends, with zeros from before that place on.</summary>
public sealed class CutLogTests(ArchiveLab lab) : IClassFixture<ArchiveLab>
{
    // The record of a backup's end takes 40 bytes, aligned.
    [Theory]
    [InlineData(40, 1)]
    [InlineData(40, 100)]
    [InlineData(16, 3)]
    public async Task ABackupWhoseEndIsZeroCannotBeRestored(int before, int chunk)
    {
        using var folder = new TempFolder();
        BackupRepository repository = lab.CopyTo(folder);
        Lsn finish = (await BackupCatalog.ListAsync(repository))[0].FinishLsn!.Value;
        ulong number = lab.Size.SegmentNumberOf(finish - 1);
        string path = lab.PathOf(repository, number);
        foreach (string file in Directory.GetFiles(Path.GetDirectoryName(path)!))
        {
            if (!WalSegmentName.TryParse(Path.GetFileName(file), out WalSegmentName name) ? file.EndsWith(".history", StringComparison.Ordinal) : name.NumberFor(lab.Size) > number)
                File.Delete(file);
        }
        Assert.Equal(WalCheckStatus.Ok, (await ArchiveLab.CheckAsync(repository, WalCheckLevel.Records, chunk)).Status);

        byte[] content = File.ReadAllBytes(path);
        content.AsSpan((int)(finish - lab.Size.StartOf(number)) - before).Clear();
        File.WriteAllBytes(path, content);

        WalArchiveCheck check = await ArchiveLab.CheckAsync(repository, WalCheckLevel.Records, chunk);
        Assert.Equal(WalCheckStatus.Failure, check.Status);
        WalFault fault = Assert.Single(check.Faults);
        Assert.True(fault.IsFailure);
        Assert.True(fault.Lsn < finish);
        Assert.Contains($"the backup {lab.Backup} needs it up to {finish}", fault.Message, StringComparison.Ordinal);
        Assert.Equal([lab.Backup], check.UnrestorableBackups);
    }
}
