using PgBackup.Tests.Kit;
using PgBackup.Wal.Fetch;

namespace PgBackup.Tests.Wal.Native;

/// <summary>A repository on a disk that is full.</summary>
public sealed class FullDiskTests
{
    [Fact]
    public async Task APushOntoAFullDiskFailsAndSucceedsWhenThereIsRoom()
    {
        await using SmallDisk disk = await SmallDisk.MountAsync(4);
        using var lab = new NativeLab();
        lab.Environment["PGBACKUP_REPOSITORY"] = Directory.CreateDirectory(Path.Combine(disk.Path, "repository")).FullName;
        // Half a megabyte each, stored: not all find room.
        string[] names = lab.Ready(Enumerable.Range(3, 12));
        int stored = 0;
        ToolResult result = await lab.PushAsync(names[0]);
        while (result.ExitCode == 0 && stored < names.Length)
            result = await lab.PushAsync(names[++stored]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("No space left", Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.InRange(stored, 0, names.Length - 1);

        string roomy = lab.RepositoryFolder;
        lab.Environment["PGBACKUP_REPOSITORY"] = roomy;
        foreach (string name in names)
        {
            Assert.Equal(0, (await lab.PushAsync(name)).ExitCode);
            await WalFetch.FetchAsync(lab.Repository, name, lab.Folder.Combine("held"));
            Assert.Equal(File.ReadAllBytes(lab.PathOf(name)), File.ReadAllBytes(lab.Folder.Combine("held")));
        }
    }
}
