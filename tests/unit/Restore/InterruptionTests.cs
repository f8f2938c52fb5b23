using System.Formats.Tar;
using PgBackup.Errors;
using PgBackup.Restore;
using PgBackup.Restore.Fetching;
using PgBackup.Restore.Planning;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Restore;

/// <summary>A restore that is cut off, runs out of room, or is fed with hostile tars.</summary>
public sealed class InterruptionTests
{
    [Fact]
    public async Task AFullDiskIsForeseen()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(10);
        await using RestoreLab lab = RestoreLab.Without(WalgFixture.Named("lz4").Open());
        RestoreRequest request = lab.Request(RestoreTarget.Immediate, Path.Combine(disk.Path, "data")) with { RestoreCommand = "false" };
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => lab.RestoreAsync(new RestoreOptions { Request = request }));
        Assert.Equal("InsufficientSpace", error.Id);
        Assert.Empty(Directory.GetFileSystemEntries(disk.Path));
    }

    [Fact]
    public async Task ADiskThatFillsUpWhileRestoringLeavesNothingThatStarts()
    {
        WalgFixture fixture = WalgFixture.Named("lz4");
        await using SmallDisk disk = await SmallDisk.MountAsync(10);
        string target = Path.Combine(disk.Path, "data");
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => FetchTests.FetchAsync(fixture.Open(), fixture.Backups.Take(1), target));
        Assert.Equal("RestoreWriteFailed", error.Id);
        AssertNotStartable(target);
    }

    /// <summary>A stop has no clean-up to do before the files are complete: what it leaves is what a kill -9 at this instant leaves.</summary>
    [Fact]
    public async Task ARestoreThatIsCutOffLeavesNothingThatStartsAndTheNextOneClearsIt()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.Cluster.ExecuteAsync("CREATE TABLE big AS SELECT repeat(md5(g::text), 30) v FROM generate_series(1, 40000) g");
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        RestoreRequest request = lab.Request(RestoreTarget.Latest);
        using var stop = new CancellationTokenSource();
        var stopper = new StopOnProgress(stop);
        PointInTimeRestore restore = await PointInTimeRestore.PrepareAsync(lab.Repository, new RestoreOptions { Request = request, ThrottleLimit = 1 }, progress: stopper);
        stopper.IsArmed = true;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => restore.RunAsync(stop.Token));
        AssertNotStartable(request.DataDirectory!);
        ToolResult started = await ServerAccount.Current.RunAsync(PostgresTools.Complete.Tool("pg_ctl"), ["start", "-w", "-D", request.DataDirectory!]);
        Assert.NotEqual(0, started.ExitCode);
        RestoreResult result = await lab.RestoreAsync(new RestoreOptions { Request = request with { Force = true }, Start = true });
        Assert.Equal("A", await RestoreLab.RowsAsync(result));
        Assert.Equal("40000", await RestoreLab.QueryAsync(result, "SELECT count(*) FROM big"));
    }

    [Fact]
    public async Task StoppedWhileTheServerRecoversItStopsTheServer()
    {
        await using RestoreLab lab = await RestoreLab.StartAsync();
        await lab.BackupAsync();
        await lab.InsertAsync("A");
        await lab.ArchiveAsync();
        RestoreRequest request = lab.Request(RestoreTarget.Latest) with { RestoreCommand = $"sleep 1; {lab.RestoreCommand}" };
        using var stop = new CancellationTokenSource();
        PointInTimeRestore restore = await PointInTimeRestore.PrepareAsync(
            lab.Repository, new RestoreOptions { Request = request, Start = true }, progress: new StopOnProgress(stop) { IsArmed = true, Phase = "Replaying" });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => restore.RunAsync(stop.Token));
        Assert.Null(RunningServers.On(request.DataDirectory!));
        PgBackupException late = await Assert.ThrowsAsync<PgBackupException>(() => lab.RestoreAsync(
            new RestoreOptions { Request = request with { Force = true, RestoreCommand = "sleep 30; false" }, Start = true, Timeout = TimeSpan.FromSeconds(1) }));
        Assert.Equal("OperationTimeout", late.Id);
        Assert.Null(RunningServers.On(request.DataDirectory!));
    }

    [Fact]
    public async Task AHostileTarWritesNothingOutside()
    {
        WalgFixture fixture = WalgFixture.Named("lz4");
        using TempFolder folder = new();
        string repository = fixture.CopyTo(folder);
        string parts = Path.Combine(repository, "basebackups_005", fixture.Backups[0], "tar_partitions");
        await WriteTarAsync(Path.Combine(parts, "part_000.tar"), new UstarTarEntry(TarEntryType.RegularFile, "/base/../../evil") { DataStream = new MemoryStream("x"u8.ToArray()) });
        PgBackupException error = await Assert.ThrowsAsync<PgBackupException>(() => FetchTests.FetchAsync(fixture.Open(repository), fixture.Backups.Take(1), folder.Combine("a", "data")));
        Assert.Equal("MemberNameInvalid", error.Id);
        Assert.False(File.Exists(folder.Combine("a", "evil")) || File.Exists(folder.Combine("evil")));

        // A link would lead the next member out of the destination, were it made.
        await WriteTarAsync(
            Path.Combine(parts, "part_000.tar"),
            new UstarTarEntry(TarEntryType.SymbolicLink, "/base/5/link") { LinkName = folder.Path },
            new UstarTarEntry(TarEntryType.RegularFile, "/base/5/link/evil") { DataStream = new MemoryStream("x"u8.ToArray()) });
        FetchResult result = await FetchTests.FetchAsync(fixture.Open(repository), fixture.Backups.Take(1), folder.Combine("b", "data"));
        Assert.Contains("symbolic link", Assert.Single(result.Warnings), StringComparison.Ordinal);
        Assert.False(File.Exists(folder.Combine("evil")));
        Assert.False(Directory.Exists(folder.Combine("b", "data", "base", "5", "link")));
    }

    private static async Task WriteTarAsync(string path, params TarEntry[] entries)
    {
        await using FileStream file = File.Create(path);
        await using var writer = new TarWriter(file, TarEntryFormat.Ustar);
        foreach (TarEntry entry in entries)
            await writer.WriteEntryAsync(entry);
    }

    private static void AssertNotStartable(string dataDirectory)
    {
        Assert.True(File.Exists(Path.Combine(dataDirectory, RestoreDestination.MarkerName)));
        Assert.False(File.Exists(Path.Combine(dataDirectory, "global", "pg_control")));
    }

    private sealed class StopOnProgress(CancellationTokenSource stop) : IProgress<OperationProgress>
    {
        public bool IsArmed { get; set; }

        public string Phase { get; init; } = "Restoring files";

        public void Report(OperationProgress value)
        {
            if (IsArmed && value.Phase.StartsWith(Phase, StringComparison.Ordinal))
                stop.Cancel();
        }
    }
}
