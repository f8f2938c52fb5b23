using System.Diagnostics;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench.Wal;

/// <summary>pgbench on the cluster, as long as something else is measured.</summary>
internal sealed class ForeignLoad(Process process) : IAsyncDisposable
{
    private const int TransactionsASecond = 1000;

    public static async Task<ForeignLoad> StartAsync(Ground ground, CancellationToken cancellationToken)
    {
        ProcessStartInfo start = ServerAccount.Current.StartInfo(
            ground.Cluster.Tools.Tool("pgbench"),
            ["-n", "-h", "127.0.0.1", "-p", $"{ground.Cluster.Port}", "-U", "postgres", "-c", "2", "-R", $"{TransactionsASecond}", "-T", "3600", "postgres"]);
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        Process process = Process.Start(start) ?? throw new InvalidOperationException("pgbench did not start.");
        await Task.Delay(TimeSpan.FromSeconds(0.5), cancellationToken);
        return !process.HasExited ? new ForeignLoad(process) : throw new InvalidOperationException($"pgbench ended at once: {await process.StandardError.ReadToEndAsync(cancellationToken)}");
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }
}
