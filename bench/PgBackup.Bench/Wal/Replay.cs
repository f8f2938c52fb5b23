using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using PgBackup.Tests.Kit;

namespace PgBackup.Bench.Wal;

/// <summary>A real server that recovers: a copy of the cluster from before the sample's WAL was written, which replays it out of an archive.</summary>
internal sealed partial class Replay(Ground ground, string copy, string folder)
{
    private const int Patience = 300;

    /// <summary>How long the replay took, as the server itself says.</summary>
    public async Task<Measurement> RunAsync(WalContestant contestant, CancellationToken cancellationToken)
    {
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
        (await ToolProcess.RunAsync(new("cp", ["-a", copy, folder]), cancellationToken)).EnsureSuccess();
        int port = FreePort();
        await File.AppendAllTextAsync(
            Path.Combine(folder, "postgresql.auto.conf"),
            $"""

            restore_command = '{contestant.FetchCommand.Replace("'", "''", StringComparison.Ordinal)}'
            archive_mode = off
            port = {port}
            listen_addresses = '127.0.0.1'
            unix_socket_directories = ''
            log_min_messages = info
            logging_collector = off
            """,
            cancellationToken);
        string log = Path.Combine(folder, "replay.log");
        await File.WriteAllTextAsync(Path.Combine(folder, "recovery.signal"), "", cancellationToken);
        ServerAccount.Current.Own(folder);
        (await ToolProcess.RunAsync(new("sync", ["-f", folder]), cancellationToken)).EnsureSuccess();
        string control = ground.Cluster.Tools.Tool("pg_ctl");
        await ground.Stopwatches.RunAsync(contestant.Environment, cancellationToken, control, "-D", folder, "-l", log, "-w", "-t", $"{Patience}", "start");
        try
        {
            Match done = await RedoAsync(log, cancellationToken);
            double Number(string name) => double.Parse(done.Groups[name].Value, CultureInfo.InvariantCulture);
            return new Measurement(TimeSpan.FromSeconds(Number("elapsed")), TimeSpan.FromSeconds(Number("user") + Number("system")), 0);
        }
        finally
        {
            (await ServerAccount.Current.RunAsync(control, ["-D", folder, "-m", "immediate", "-w", "stop"], CancellationToken.None)).EnsureSuccess();
        }
    }

    private static async Task<Match> RedoAsync(string log, CancellationToken cancellationToken)
    {
        DateTime patience = DateTime.UtcNow.AddSeconds(Patience);
        while (DateTime.UtcNow < patience)
        {
            string text = await File.ReadAllTextAsync(log, cancellationToken);
            if (RedoDone().Match(text) is { Success: true } done && text.Contains("ready to accept connections", StringComparison.Ordinal))
                return done;
            if (text.Contains("redo is not required", StringComparison.Ordinal))
                break;
            await Task.Delay(100, cancellationToken);
        }
        throw new InvalidOperationException($"The replay did not end:\n{await File.ReadAllTextAsync(log, cancellationToken)}");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    // PostgreSQL source: xlogrecovery.c, PerformWalRecovery; pg_rusage.c.
    [GeneratedRegex(@"redo done at \S+ system usage: CPU: user: (?<user>[\d.]+) s, system: (?<system>[\d.]+) s, elapsed: (?<elapsed>[\d.]+) s")]
    private static partial Regex RedoDone();
}
