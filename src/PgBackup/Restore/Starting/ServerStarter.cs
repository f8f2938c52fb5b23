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

    // What a server with ssl = on does not start without (PostgreSQL source: be-secure-openssl.c, "be_tls_init").
    private static readonly string[] s_sslFiles = ["ssl_cert_file", "ssl_key_file", "ssl_ca_file", "ssl_crl_file", "ssl_crl_dir", "ssl_dh_params_file"];

    /// <summary>The file that the server logs to.</summary>
    public string LogPath { get; } = Path.Combine(dataDirectory, "pgbackup_recovery.log");

    /// <summary>
    /// Settings that come out of the configuration as it is: SSL files that are not there must not keep the server from starting, and no pid file is written over
    /// that of the source. Returns what to add for good.
    /// </summary>
    public async Task<IReadOnlyDictionary<string, string>> RepairsAsync(List<string> warnings, CancellationToken cancellationToken)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        // Only then: the server complains of an empty name.
        if (await SettingAsync("external_pid_file").ConfigureAwait(false) is { Length: > 0 })
            settings["external_pid_file"] = "";
        if (await SettingAsync("ssl").ConfigureAwait(false) != "on")
            return settings;
        foreach (string name in s_sslFiles)
        {
            string? file = await SettingAsync(name).ConfigureAwait(false);
            if (string.IsNullOrEmpty(file) || Path.Exists(Path.Combine(dataDirectory, file)))
                continue;
            warnings.Add($"SSL is off in the restored server: '{file}' ({name}) is not there.");
            settings["ssl"] = "off";
            break;
        }
        return settings;

        Task<string?> SettingAsync(string name) => programs.SettingAsync(dataDirectory, name, [], cancellationToken);
    }

    /// <summary>
    /// Adds to <paramref name="raised"/> each of the settings that a standby checks of which the configuration, or what was raised before, has less than
    /// <paramref name="control"/>. True when one was added.
    /// </summary>
    public async Task<bool> RaiseAsync(Dictionary<string, int> raised, IReadOnlyList<string> options, ControlFile control, CancellationToken cancellationToken)
    {
        bool any = false;
        foreach ((string name, int least) in StartSettings.CheckedByStandby(control))
        {
            if (!raised.TryGetValue(name, out int configured))
            {
                string? value = await programs.SettingAsync(dataDirectory, name, options, cancellationToken).ConfigureAwait(false);
                configured = int.TryParse(value, NumberStyles.Integer, CultureInfo.InvariantCulture, out int number) ? number : -1;
            }
            if (configured >= least)
                continue;
            log.Verbose($"{name} is raised from {(configured < 0 ? "its default" : configured)} to {least} for recovery.");
            raised[name] = least;
            any = true;
        }
        return any;
    }

    /// <summary>
    /// Starts the server and returns at once; where its log begins. Throws <c>RecoveryFailed</c>.
    /// </summary>
    public async Task<long> StartAsync(IEnumerable<string> options)
    {
        long offset = File.Exists(LogPath) ? new FileInfo(LogPath).Length : 0;
        ProgramOutcome outcome = await programs.RunAsync(
            "pg_ctl", ["start", "-W", "-s", "-D", dataDirectory, "-l", LogPath, "-o", ServerPrograms.OptionText(options)], CancellationToken.None).ConfigureAwait(false);
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
            if (RunningServers.On(dataDirectory) is not null || messages.Failures.Length > 0)
                return;
        }
    }

    /// <summary>Stops a server that has not reached its target; recovery goes on at its next start.</summary>
    public async Task StopAsync()
    {
        ProgramOutcome outcome = await programs.StopAsync(dataDirectory, "fast", TimeSpan.FromMinutes(2)).ConfigureAwait(false);
        if (outcome.ExitCode != 0 && RunningServers.On(dataDirectory) is not null)
            log.Warning($"The server on '{dataDirectory}' could not be stopped: {outcome.Said}");
    }
}
