using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Restore.Planning;

namespace PgBackup.Restore.Starting;

/// <summary>What a recovery came to.</summary>
/// <param name="Status">The state of the server.</param>
/// <param name="Log">What its log says.</param>
internal sealed record RecoveryOutcome(RestoreStatus Status, RecoveryLog Log);

/// <summary>Follows a server from its start until it has reached its target, or has failed to.</summary>
internal sealed class RecoveryWatch(string dataDirectory, string logPath, long logOffset, RestorePlan plan, IProgress<OperationProgress> progress)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);

    // The time that pg_ctl grants a server between its launch and its pid file.
    private static readonly TimeSpan s_launch = TimeSpan.FromSeconds(60);

    private readonly RecoveryLog _log = new(logPath, logOffset);

    /// <summary>Returns early when the log says that larger settings are needed. Throws <c>RecoveryFailed</c>; a <see cref="TimeoutException"/> after <paramref name="limit"/>.</summary>
    public async Task<RecoveryOutcome> RunAsync(TimeSpan? limit, CancellationToken cancellationToken)
    {
        Stopwatch watch = Stopwatch.StartNew();
        bool seen = false;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string state = ServerState();
            bool isAlive = RunningServers.On(dataDirectory) is not null;
            seen |= isAlive;
            _log.Update();
            if (_log.NeedsLargerSettings)
                return new RecoveryOutcome(RestoreStatus.Restored, _log);
            if (isAlive && state == "ready" && !File.Exists(Path.Combine(dataDirectory, "recovery.signal")))
                return new RecoveryOutcome(RestoreStatus.Promoted, _log);
            if (isAlive && _log.IsPaused)
                return new RecoveryOutcome(RestoreStatus.Paused, _log);
            if (!isAlive && (seen || _log.Failures.Length > 0 || _log.IsShuttingDown || watch.Elapsed > s_launch))
                return await EndedAsync(cancellationToken).ConfigureAwait(false);
            if (limit is { } bound && watch.Elapsed > bound)
                throw new TimeoutException(_log.RedoDone is { } done ? $"replay ended at {done}" : "it was replaying WAL");
            await ReportAsync(cancellationToken).ConfigureAwait(false);
            await Task.Delay(s_interval, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<RecoveryOutcome> EndedAsync(CancellationToken cancellationToken)
    {
        _log.Update();
        ControlFile control = await ControlFile.ReadAsync(dataDirectory, cancellationToken).ConfigureAwait(false);
        if (plan.TargetAction == RecoveryTargetAction.Shutdown && _log.StoppedAtTarget && control.State == ClusterState.ShutDownInRecovery)
            return new RecoveryOutcome(RestoreStatus.ShutDown, _log);
        throw PgErrors.RecoveryFailed(
            dataDirectory,
            _log.Failures.Length > 0 ? $"it ended, and its log says: {_log.Failures}" : "it ended without a word.",
            $"Read the log '{logPath}'. When what it complains of is set right, start the server again with pg_ctl: recovery goes on where it stood.");
    }

    private async Task ReportAsync(CancellationToken cancellationToken)
    {
        ControlFile control = await ControlFile.ReadAsync(dataDirectory, cancellationToken).ConfigureAwait(false);
        Lsn from = plan.Backup.StartLsn ?? Lsn.Zero;
        Lsn at = control.MinRecoveryPoint > control.RedoLsn ? control.MinRecoveryPoint : control.RedoLsn;
        long total = Math.Max(1, plan.ReachedLsn - from);
        long done = Math.Clamp(at < from ? 0 : at - from, 0, total);
        progress.Report(new OperationProgress("Restoring the cluster", $"Replaying WAL: {at} of {plan.ReachedLsn}", done, total));
    }

    // The eighth line of the pid file tells the state (miscadmin.h, LOCK_FILE_LINE_PM_STATUS).
    private string ServerState()
    {
        try
        {
            string file = Path.Combine(dataDirectory, "postmaster.pid");
            return File.Exists(file) && File.ReadAllLines(file) is { Length: >= 8 } lines ? lines[7].Trim() : "";
        }
        catch (IOException)
        {
            return ""; // It went away in between.
        }
    }
}
