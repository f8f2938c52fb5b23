using System.Diagnostics;
using System.Text.RegularExpressions;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Server;
using PgBackup.Restore.Planning;
using PgBackup.Restore.Starting;

namespace PgBackup.Extraction;

/// <summary>The server that lives for one dump. Disposing ends it, whatever it is doing.</summary>
internal sealed partial class BesideServer(ServerPrograms programs, RestorePlan plan, ScratchFolder scratch, IOperationLog log, IProgress<OperationProgress> progress) : IAsyncDisposable
{
    // What initdb makes when it is not told otherwise, by the name of an account.
    private const string UsualRole = "postgres";

    private static readonly TimeSpan s_startLimit = TimeSpan.FromMinutes(1);

    private readonly ServerStarter _starter = new(programs, plan.DataDirectory!, new QuietLog(log));

    /// <summary>How to connect; of the database nothing is said yet.</summary>
    public ServerConnectionSettings Connection { get; private set; } = new() { HostName = scratch.SocketFolder, Port = BesideSettings.Port, UserName = UsualRole, SslMode = "Disable" };

    /// <summary>Starts it and waits until it has reached the target. Throws <c>RecoveryFailed</c>, <c>OperationTimeout</c>.</summary>
    public async Task<RecoveryOutcome> RecoverAsync(ControlFile control, TimeSpan? limit, CancellationToken cancellationToken)
    {
        var run = new RecoveryRun(_starter, plan, new QuietLog(log), progress);
        try
        {
            return await run.RunAsync(StartSettings.ForRecovery(plan.TargetAction, inPlace: false), control, limit, cancellationToken).ConfigureAwait(false);
        }
        catch (PgBackupException error) when (error.Id == "RecoveryFailed")
        {
            // Its log goes with it; what matters of it is in the message.
            throw PgErrors.ExtractionRecoveryFailed(plan.Name, error.Message[(error.Message.IndexOf("target: ", StringComparison.Ordinal) + "target: ".Length)..], error);
        }
    }

    /// <summary>The file that the server logs to.</summary>
    public string LogPath => _starter.LogPath;

    /// <summary>Finds a superuser to log in as. Throws <c>SourceRoleMissing</c>, <c>ServerConnectionFailed</c>.</summary>
    public async Task ChooseRoleAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using ((await ServerSession.OpenAsync(Connection, "template1", cancellationToken).ConfigureAwait(false)).ConfigureAwait(false))
                return;
        }
        catch (PgBackupException error) when (error.Id is "AuthenticationFailed" or "ServerConnectionFailed")
        {
            log.Verbose($"'{UsualRole}' cannot log in to the server that was started beside: {error.Message}");
        }
        // Which roles there are can be asked without being one only when the server is down.
        await StopAsync("fast").ConfigureAwait(false);
        ProgramOutcome answer = await programs.RunAsync(
            "postgres", ["--single", "-D", plan.DataDirectory!, "template1"],
            "SELECT rolname FROM pg_catalog.pg_authid WHERE rolsuper AND rolcanlogin ORDER BY oid LIMIT 1\n", cancellationToken).ConfigureAwait(false);
        Match role = RolePattern().Match(answer.Output);
        if (!role.Success)
            throw PgErrors.ExtractionRoleMissing(plan.Name);
        Connection = Connection with { UserName = role.Groups[1].Value };
        await _starter.StartAsync(["-c", "lc_messages=C", "-c", "huge_pages=try"]).ConfigureAwait(false);
        await AwaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Ends it.</summary>
    public async ValueTask DisposeAsync() => await StopAsync("immediate").ConfigureAwait(false);

    private async Task AwaitAsync(CancellationToken cancellationToken)
    {
        for (Stopwatch watch = Stopwatch.StartNew(); ; await Task.Delay(50, cancellationToken).ConfigureAwait(false))
        {
            try
            {
                await using ((await ServerSession.OpenAsync(Connection, "template1", cancellationToken).ConfigureAwait(false)).ConfigureAwait(false))
                    return;
            }
            catch (PgBackupException error) when (error.Id == "ServerConnectionFailed" && watch.Elapsed < s_startLimit)
            {
                // It is still starting.
            }
        }
    }

    private async Task StopAsync(string mode)
    {
        if (RunningServers.On(plan.DataDirectory!) is null)
            return;
        ProgramOutcome outcome = await programs.StopAsync(plan.DataDirectory!, mode, TimeSpan.FromMinutes(2)).ConfigureAwait(false);
        if (outcome.ExitCode != 0 && RunningServers.On(plan.DataDirectory!) is { } process)
            log.Warning($"The server that was started beside (process {process}) could not be stopped: {outcome.Said}");
    }

    [GeneratedRegex("rolname = \"(.*)\"\\s+\\(typeid", RegexOptions.CultureInvariant)]
    private static partial Regex RolePattern();

    // What restores for good would tell their users of is of no matter here.
    private sealed class QuietLog(IOperationLog log) : IOperationLog
    {
        public void Write(LogLevel level, string message) => log.Write(level > LogLevel.Verbose ? LogLevel.Verbose : level, message);
    }
}
