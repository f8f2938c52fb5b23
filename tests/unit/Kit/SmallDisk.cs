using System.Diagnostics;

namespace PgBackup.Tests.Kit;

/// <summary>A file system of a few megabytes, to run full. Needs root, as the test run has.</summary>
public sealed class SmallDisk : IAsyncDisposable
{
    private readonly TempFolder _folder;

    private SmallDisk(TempFolder folder)
    {
        _folder = folder;
    }

    /// <summary>Where it is mounted.</summary>
    public string Path => _folder.Combine("disk");

    /// <summary>Mounts a new one.</summary>
    public static async Task<SmallDisk> MountAsync(int megabytes)
    {
        var disk = new SmallDisk(new TempFolder());
        Directory.CreateDirectory(disk.Path);
        (await ToolProcess.RunAsync(new ProcessStartInfo("mount", ["-t", "tmpfs", "-o", $"size={megabytes}m,mode=0777", "tmpfs", disk.Path]))).EnsureSuccess();
        return disk;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        (await ToolProcess.RunAsync(new ProcessStartInfo("umount", [Path]))).EnsureSuccess();
        _folder.Dispose();
    }
}
