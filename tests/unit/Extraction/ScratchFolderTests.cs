using PgBackup.Errors;
using PgBackup.Extraction;
using PgBackup.Restore;
using PgBackup.Restore.Fetching;
using PgBackup.Tests.Kit;
using PgBackup.Tests.Restore;

namespace PgBackup.Tests.Extraction;

/// <summary>What is left behind: nothing.</summary>
public sealed class ScratchFolderTests
{
    [Fact]
    public async Task StoppedInTheMiddleOfRecoveryNothingIsLeft()
    {
        await using ExtractionLab lab = await ExtractionLab.StartAsync();
        await lab.Lab.BackupAsync();
        await lab.Lab.ArchiveAsync();
        string reached = lab.Lab.Folder.Combine("work", "reached");
        lab.Lab.RestoreCommand = $"touch '{reached}' && sleep 60";
        using var stop = new CancellationTokenSource();
        Task<TableExtractionResult> running = lab.ExtractAsync(lab.Options(RestoreTarget.Latest, "app.orders"), null, stop.Token);
        for (int i = 0; !File.Exists(reached); i++)
        {
            Assert.True(i < 600 && !running.IsCompleted, "Recovery never asked for a segment.");
            await Task.Delay(50);
        }
        Assert.NotEmpty(lab.ServersBeside());
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        File.Delete(reached);
        lab.RequireClean();
    }

    [Fact]
    public async Task WhatAKillLeavesTheNextRunRemoves()
    {
        await using ExtractionLab lab = await ExtractionLab.StartAsync();
        await lab.Lab.BackupAsync();
        await lab.Lab.ArchiveAsync();
        // A folder as a run makes it, with a server on it; the process of the run is gone.
        string folder = ServerAccount.Current.CreateFolder(Path.Combine(lab.WorkPath, "pgbackup-beside-killed"));
        await lab.Lab.RestoreAsync(RestoreTarget.Latest, Path.Combine(folder, "data"));
        await File.WriteAllTextAsync(Path.Combine(folder, "owner"), $"{int.MaxValue}\n0\n{folder}\n");
        string foreign = Directory.CreateDirectory(Path.Combine(lab.WorkPath, "pgbackup-beside-unknown")).FullName;
        Assert.Single(lab.ServersBeside());
        var log = new ListLog();
        await lab.ExtractAsync(lab.Options(RestoreTarget.Latest, "app.orders"), log);
        Assert.Contains(log.Lines, line => line.Contains("was killed has left a server", StringComparison.Ordinal));
        Assert.Contains(log.Lines, line => line.Contains($"was killed has left '{folder}'", StringComparison.Ordinal));
        Directory.Delete(foreign); // It says nothing of who made it, so it stayed.
        lab.RequireClean();
    }

    [Fact]
    public async Task ALongWorkPathHasItsSocketElsewhere()
    {
        await using ExtractionLab lab = await ExtractionLab.StartAsync();
        await lab.Lab.BackupAsync();
        await lab.Lab.ArchiveAsync();
        string deep = ServerAccount.Current.CreateFolder(Path.Combine(lab.WorkPath, new string('d', 100)), TempFolder.Traversable);
        await lab.ExtractAsync(lab.Options(RestoreTarget.Latest, "app.orders") with { WorkPath = deep });
        Assert.Empty(Directory.GetFileSystemEntries(deep));
        Directory.Delete(deep);
        lab.RequireClean();
        PgBackupException missing = await Assert.ThrowsAsync<PgBackupException>(() => lab.ExtractAsync(lab.Options(RestoreTarget.Latest, "app.orders") with { WorkPath = deep }));
        Assert.Equal("WorkPathInvalid", missing.Id);
    }

    [Fact]
    public async Task TooLittleRoomIsSeenBefore()
    {
        await using ExtractionLab lab = await ExtractionLab.StartAsync();
        await lab.Lab.BackupAsync();
        await lab.Lab.ArchiveAsync();
        await using SmallDisk disk = await SmallDisk.MountAsync(16);
        PgBackupException refused = await Assert.ThrowsAsync<PgBackupException>(() => lab.ExtractAsync(lab.Options(RestoreTarget.Latest, "app.orders") with { WorkPath = disk.Path }));
        Assert.Equal("InsufficientSpace", refused.Id);
        Assert.Contains("-ScratchDirectory", refused.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("base/20000/30000", true)]
    [InlineData("base/20001/30000", false)]
    [InlineData("base/1/1259", true)]
    [InlineData("global/1260", true)]
    [InlineData("base/20001/30000_vm", false)]
    [InlineData("pg_tblspc/16400/PG_15_202209061/20001/30000", false)]
    [InlineData("pg_tblspc/16400/PG_15_202209061/20000/30000_fsm", true)]
    [InlineData("something/else", true)]
    public void WhichInvalidPagesMatter(string relation, bool matters)
    {
        var choice = new DatabaseChoice(20000);
        Assert.Equal(matters, InvalidPages.Concerns($"2026-11-23 10:00:00 UTC [1] WARNING:  page 3 of relation {relation} does not exist", choice));
        Assert.Equal(matters, InvalidPages.Concerns($"2026-11-23 10:00:00 UTC [1] WARNING:  page 3 of relation {relation} is uninitialized", choice));
        Assert.False(InvalidPages.Concerns($"2026-11-23 10:00:00 UTC [1] LOG:  redo of relation {relation}", choice));
    }

    private sealed class ListLog : IOperationLog
    {
        public List<string> Lines { get; } = [];

        public void Write(LogLevel level, string message)
        {
            lock (Lines)
                Lines.Add(message);
        }
    }
}
