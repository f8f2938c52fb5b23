using System.Diagnostics;
using System.Runtime.InteropServices;
using PgBackup.PowerShell.Backups;
using PgBackup.Tests.Kit;

namespace PgBackup.Tests.Backup;

/// <summary>Backup-PgCluster in a process of its own, to be killed.</summary>
internal sealed partial class BackupProcess : IDisposable
{
    private readonly Process _process;
    private readonly BackedUpCluster _source;
    private readonly DateTime _begun = DateTime.UtcNow;

    private BackupProcess(Process process, BackedUpCluster source)
    {
        _process = process;
        _source = source;
        Error = process.StandardError.ReadToEndAsync();
        Output = process.StandardOutput.ReadToEndAsync();
    }

    public Task<string> Output { get; }

    public Task<string> Error { get; }

    public int ExitCode => _process.ExitCode;

    public bool HasExited => _process.HasExited;

    public static BackupProcess Start(BackedUpCluster source, string arguments = "")
    {
        ProcessStartInfo start = ShellProcess.Host.StartInfo(
            "-Command",
            $"Import-Module '{typeof(BackupPgClusterCommand).Assembly.Location}'; "
            + $"Backup-PgCluster -ConnectionString '{source.Cluster.ConnectionString}' -Repository '{source.RepositoryPath}' {arguments}");
        // Native libraries lie beside the tests as packages bring them, not as in the module.
        start.Environment["LD_LIBRARY_PATH"] = Path.Combine(AppContext.BaseDirectory, "runtimes", RuntimeInformation.RuntimeIdentifier, "native");
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        return new BackupProcess(Process.Start(start)!, source);
    }

    /// <summary>Waits until something that it has written to the repository's folder of backups looks so; what others left there does not count.</summary>
    public async Task WaitForAsync(Func<string, bool> seen)
    {
        string folder = Path.Combine(_source.RepositoryPath, "basebackups_005");
        var clock = Stopwatch.StartNew();
        while (!Paths(folder).Any(path => seen(path) && File.GetLastWriteTimeUtc(path) >= _begun))
        {
            if (_process.HasExited || clock.Elapsed > TimeSpan.FromSeconds(30))
                Assert.Fail($"It did not come so far. {await Error}");
            await Task.Delay(1);
        }
    }

    /// <summary>Kills it as the system does when memory runs out.</summary>
    public async Task Kill9Async()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Asks it to end.</summary>
    public async Task TerminateAsync()
    {
        Assert.Equal(0, SendSignal(_process.Id, 15));
        await WaitForExitAsync();
    }

    public Task WaitForExitAsync() => _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    private static string[] Paths(string folder)
    {
        try
        {
            return Directory.Exists(folder) ? Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories) : [];
        }
        catch (IOException)
        {
            return []; // It changed while it was read.
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int pid, int signal);
}
