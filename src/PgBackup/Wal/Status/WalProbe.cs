using System.Diagnostics;
using PgBackup.Errors;
using PgBackup.Postgres.Server;
using PgBackup.Repository;

namespace PgBackup.Wal.Status;

/// <summary>Writes a small record, switches WAL, and waits until the segment is in the repository and can be read.</summary>
internal static class WalProbe
{
    private static readonly TimeSpan s_firstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(1);

    /// <summary>Throws what the session throws, but a missing right and a repository that cannot be asked are answers.</summary>
    public static async Task<ProbeFacts> RunAsync(ServerSession session, BackupRepository? repository, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (repository is null)
            return new ProbeFacts(null, null, "No probe: it needs the repository. Give -Repository.");
        if (await session.ScalarAsync<bool>("SELECT pg_is_in_recovery()", cancellationToken).ConfigureAwait(false))
            return new ProbeFacts(null, null, "No probe: a standby cannot switch WAL. Probe at its primary.");
        if (!await session.ScalarAsync<bool>("SELECT has_function_privilege('pg_switch_wal()', 'execute')", cancellationToken).ConfigureAwait(false))
            return new ProbeFacts(null, null, "No probe: the role may not switch WAL. GRANT EXECUTE ON FUNCTION pg_switch_wal() to it, in the database postgres.");
        if (WhyInVain(await ServerSettings.ReadAsync(session, cancellationToken).ConfigureAwait(false)) is { } why)
            return new ProbeFacts(null, null, $"No probe: {why}");
        // Without a record since the last switch, there would be nothing to switch away from.
        await session.ExecuteAsync("SELECT pg_logical_emit_message(false, 'PgBackup', 'probe')", cancellationToken).ConfigureAwait(false);
        string name = (await session.ScalarAsync<string>("SELECT pg_walfile_name(pg_switch_wal())", cancellationToken).ConfigureAwait(false))!;
        ulong cluster = unchecked((ulong)await session.ScalarAsync<long>("SELECT system_identifier FROM pg_control_system()", cancellationToken).ConfigureAwait(false));
        WalFileName.TryParse(name, out WalFileName? file);
        Stopwatch waited = Stopwatch.StartNew();
        string? problem = await WaitAsync(repository, file!, cluster, timeout, cancellationToken).ConfigureAwait(false);
        return new ProbeFacts(file!.Segment, problem is null ? waited.Elapsed : null, problem);
    }

    private static string? WhyInVain(ServerSettings settings)
    {
        if (!settings.IsArchiving || settings.ValueOf("archive_library").Length > 0)
            return null;
        string command = settings.ValueOf("archive_command");
        return command.Length == 0 ? "neither archive_command nor archive_library is set."
            : ArchiveCommandTrap.StoresNothing(command) ? "archive_command stores nothing."
            : null;
    }

    /// <summary>Says why the segment did not come, or cannot be read, in time; null when it did. Never takes longer than the timeout, though the store may hang.</summary>
    internal static async Task<string?> WaitAsync(BackupRepository repository, WalFileName file, ulong cluster, TimeSpan timeout, CancellationToken cancellationToken)
    {
        string problem = $"The probe's segment {file.Name} was not in the repository {Spell.Span(timeout)} after it was switched away from.";
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        try
        {
            var pauses = new BackOff(s_firstPause, s_longestPause);
            while (true)
            {
                // What is half written now may be whole in a moment: a command may copy onto the final name.
                if (await Task.Run(() => LookAsync(repository, file, cluster, limit.Token), limit.Token).WaitAsync(limit.Token).ConfigureAwait(false) is not { } look)
                    return null;
                if (look.Length > 0)
                    problem = look;
                await Task.Delay(pauses.Next(), limit.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return problem;
        }
        catch (PgBackupException error)
        {
            return $"The probe switched away from {file.Name}, but the repository could not be asked for it: {error.Message}";
        }
    }

    // Null when it is there and good; empty when it is not there.
    private static async Task<string?> LookAsync(BackupRepository repository, WalFileName file, ulong cluster, CancellationToken cancellationToken)
    {
        IReadOnlyList<ArchivedWalFile> found = await WalArchive.FindAsync(repository, file, cancellationToken).ConfigureAwait(false);
        if (found.Count == 0)
            return "";
        return await RepositoryReader.FindProblemAsync(repository, found[0], cluster, cancellationToken).ConfigureAwait(false) is { } fault
            ? $"The probe's segment {file.Name} came into the repository, but it cannot be used: {fault}"
            : null;
    }
}
