using System.Diagnostics;
using System.Globalization;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Restore.Planning;

namespace PgBackup.Restore.Starting;

/// <summary>Starts a restored server by pg_ctl, which gives it a session of its own: Ctrl+C at our terminal does not reach it.</summary>
internal sealed class ServerStarter(ServerPrograms programs, string dataDirectory, IOperationLog log)
{
    private static readonly TimeSpan s_launch = TimeSpan.FromSeconds(30);

    /// <summary>The file that the server logs to.</summary>
    public string LogPath { get; } = Path.Combine(dataDirectory, "pgbackup_recovery.log");

    /// <summary>
    /// Settings that come out of the configuration as it is: SSL files that are not there must not keep the server from starting. Returns what to add for good.
    /// </summary>
    public async Task<IReadOnlyDictionary<string, string>> RepairsAsync(List<string> warnings, CancellationToken cancellationToken)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        if (await programs.SettingAsync(dataDirectory, "ssl", [], cancellationToken).ConfigureAwait(false) != "on")
            return settings;
        foreach (string name in new[] { "ssl_cert_file", "ssl_key_file", "ssl_ca_file" })
        {
            string? file = await programs.SettingAsync(dataDirectory, name, [], cancellationToken).ConfigureAwait(false);
            if (string.IsNullOrEmpty(file) || File.Exists(Path.Combine(dataDirectory, file)))
                continue;
            warnings.Add($"SSL is off in the restored server: '{file}' ({name}) is not there.");
            settings["ssl"] = "off";
            break;
        }
        return settings;
    }

    /// <summary>
    /// Starts the server and returns at once; where its log begins. <paramref name="options"/> are those that it always has (a configuration file elsewhere),
    /// <paramref name="recovery"/> those of the recovery. Throws <c>RecoveryFailed</c>.
    /// </summary>
    public async Task<long> StartAsync(IReadOnlyList<string> options, IReadOnlyList<string> recovery, ControlFile control, CancellationToken cancellationToken)
    {
        List<string> all = [.. options, .. recovery];
        foreach ((string name, int least) in StartSettings.CheckedByStandby(control))
        {
            string? value = await programs.SettingAsync(dataDirectory, name, options, cancellationToken).ConfigureAwait(false);
            if (int.TryParse(value, NumberStyles.Integer, CultureInfo.InvariantCulture, out int configured) && configured >= least)
                continue;
            log.Verbose($"{name} is raised from {value ?? "its default"} to {least} for recovery.");
            all.AddRange(["-c", $"{name}={least}"]);
        }
        long offset = File.Exists(LogPath) ? new FileInfo(LogPath).Length : 0;
        ProgramOutcome outcome = await programs.RunAsync(
            "pg_ctl", ["start", "-W", "-s", "-D", dataDirectory, "-l", LogPath, "-o", ServerPrograms.OptionText(all)], CancellationToken.None).ConfigureAwait(false);
        if (outcome.ExitCode != 0)
            throw PgErrors.RecoveryFailed(dataDirectory, $"pg_ctl could not start it: {outcome.Said}", $"Read the log '{LogPath}', set right what it complains of, and start the server with pg_ctl.");
        await AwaitLaunchAsync(offset).ConfigureAwait(false);
        return offset;
    }

    // pg_ctl is back before the server has written its pid file, and cannot stop a server that has none: whoever is cancelled now would leave it running.
    private async Task AwaitLaunchAsync(long logOffset)
    {
        var messages = new RecoveryLog(LogPath, logOffset);
        for (Stopwatch watch = Stopwatch.StartNew(); watch.Elapsed < s_launch; await Task.Delay(20).ConfigureAwait(false))
        {
            messages.Update();
            if (DestinationPlanner.RunningProcess(dataDirectory) is not null || messages.Failures.Length > 0)
                return;
        }
    }

    /// <summary>Stops a server that has not reached its target; recovery goes on at its next start.</summary>
    public async Task StopAsync()
    {
        ProgramOutcome outcome = await programs.StopAsync(dataDirectory, "fast", TimeSpan.FromMinutes(2)).ConfigureAwait(false);
        if (outcome.ExitCode != 0)
            log.Warning($"The server on '{dataDirectory}' could not be stopped: {outcome.Said}");
    }
}
