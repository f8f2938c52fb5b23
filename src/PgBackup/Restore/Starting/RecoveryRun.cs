using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Postgres.Files;

namespace PgBackup.Restore.Starting;

/// <summary>
/// Recovery of a cluster whose files are complete, from the server's start to the target. When the log that is replayed turns out to come from a server with larger settings
/// than the backup knew, the server is started again with them.
/// </summary>
internal sealed class RecoveryRun(ServerStarter starter, RestorePlan plan, IOperationLog log, IProgress<OperationProgress> progress)
{
    private readonly Dictionary<string, int> _raised = new(StringComparer.Ordinal);
    private readonly List<string> _warnings = [];

    /// <summary>The file that the server logs to.</summary>
    public string LogPath => starter.LogPath;

    /// <summary>What to tell of it.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    private string DataDirectory => plan.DataDirectory!;

    /// <summary>
    /// Returns when the target is reached. Cancelled, or after <paramref name="limit"/>, it stops the server. Throws <c>RecoveryFailed</c>, <c>OperationTimeout</c>.
    /// </summary>
    public async Task<RecoveryOutcome> RunAsync(IReadOnlyList<string> options, ControlFile control, TimeSpan? limit, CancellationToken cancellationToken)
    {
        Stopwatch watch = Stopwatch.StartNew();
        await starter.RaiseAsync(_raised, options, control, cancellationToken).ConfigureAwait(false);
        while (true)
        {
            long logOffset = await starter.StartAsync([.. options, .. _raised.SelectMany(static s => new[] { "-c", $"{s.Key}={s.Value}" })]).ConfigureAwait(false);
            RecoveryOutcome outcome = await FollowAsync(logOffset, limit - watch.Elapsed, limit, cancellationToken).ConfigureAwait(false);
            if (!outcome.Log.NeedsLargerSettings)
            {
                if (outcome.Status != RestoreStatus.Promoted)
                    await KeepAsync(options).ConfigureAwait(false);
                return outcome;
            }
            await starter.StopAsync().ConfigureAwait(false);
            // Replay of the change has brought the new values there before anything was compared with them.
            control = await ControlFile.ReadAsync(DataDirectory, cancellationToken).ConfigureAwait(false);
            if (!await starter.RaiseAsync(_raised, options, control, cancellationToken).ConfigureAwait(false))
            {
                throw PgErrors.RecoveryFailed(
                    DataDirectory, $"its log says: {outcome.Log.Failures}", $"Read the log '{LogPath}', raise the settings that it names, and start the server with pg_ctl.");
            }
            log.Information("The server is started again with the larger settings of the one that wrote the WAL.");
        }
    }

    private async Task<RecoveryOutcome> FollowAsync(long logOffset, TimeSpan? left, TimeSpan? limit, CancellationToken cancellationToken)
    {
        try
        {
            return await new RecoveryWatch(DataDirectory, LogPath, logOffset, plan, progress).RunAsync(left, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await StopAsync().ConfigureAwait(false);
            log.Warning($"The files are restored in '{DataDirectory}', but recovery was stopped before the target. Start the server with pg_ctl and it goes on.");
            throw;
        }
        catch (TimeoutException reached)
        {
            await StopAsync().ConfigureAwait(false);
            throw PgErrors.RecoveryTimedOut(DataDirectory, limit!.Value, reached.Message, LogPath);
        }
    }

    private async Task StopAsync()
    {
        await starter.StopAsync().ConfigureAwait(false);
        await KeepAsync([]).ConfigureAwait(false);
    }

    /// <summary>A server that is not through with its recovery is started again by hand one day: then too it must not have less than it needs.</summary>
    private async Task KeepAsync(IReadOnlyList<string> options)
    {
        ControlFile control = await ControlFile.ReadAsync(DataDirectory, CancellationToken.None).ConfigureAwait(false);
        await starter.RaiseAsync(_raised, options, control, CancellationToken.None).ConfigureAwait(false);
        if (_raised.Count == 0)
            return;
        RecoveryFiles.AddSettings(DataDirectory, _raised, "what a server in recovery must not have less of than the one that wrote the WAL; ALTER SYSTEM RESET takes a line back");
        _warnings.Add(
            $"postgresql.auto.conf now has {string.Join(", ", _raised.Select(s => $"{s.Key} = {s.Value}"))}: the server that wrote the WAL had them, and recovery needs no less. "
            + "When it is over, ALTER SYSTEM RESET takes them back.");
    }
}
