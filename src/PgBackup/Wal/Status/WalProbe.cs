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
        // Without a record since the last switch, there would be nothing to switch away from.
        await session.ExecuteAsync("SELECT pg_logical_emit_message(false, 'PgBackup', 'probe')", cancellationToken).ConfigureAwait(false);
        string name = (await session.ScalarAsync<string>("SELECT pg_walfile_name(pg_switch_wal())", cancellationToken).ConfigureAwait(false))!;
        ulong cluster = unchecked((ulong)await session.ScalarAsync<long>("SELECT system_identifier FROM pg_control_system()", cancellationToken).ConfigureAwait(false));
        WalFileName.TryParse(name, out WalFileName? file);
        Stopwatch waited = Stopwatch.StartNew();
        string? problem;
        try
        {
            ArchivedWalFile? found = await WaitAsync(repository, file!, timeout, cancellationToken).ConfigureAwait(false);
            problem = found is { } item
                ? await RepositoryReader.FindProblemAsync(repository, item, cluster, cancellationToken).ConfigureAwait(false) is { } fault
                    ? $"The probe's segment {name} came into the repository, but it cannot be used: {fault}"
                    : null
                : $"The probe's segment {name} was not in the repository {Spell.Span(timeout)} after it was switched away from.";
        }
        catch (PgBackupException error)
        {
            problem = $"The probe switched away from {name}, but the repository could not be asked for it: {error.Message}";
        }
        return new ProbeFacts(file!.Segment, problem is null ? waited.Elapsed : null, problem);
    }

    private static async Task<ArchivedWalFile?> WaitAsync(BackupRepository repository, WalFileName file, TimeSpan timeout, CancellationToken cancellationToken)
    {
        Stopwatch waited = Stopwatch.StartNew();
        for (TimeSpan pause = s_firstPause; ; pause = pause * 2 < s_longestPause ? pause * 2 : s_longestPause)
        {
            IReadOnlyList<ArchivedWalFile> found = await WalArchive.FindAsync(repository, file, cancellationToken).ConfigureAwait(false);
            if (found.Count > 0)
                return found[0];
            TimeSpan left = timeout - waited.Elapsed;
            if (left <= TimeSpan.Zero)
                return null;
            await Task.Delay(pause < left ? pause : left, cancellationToken).ConfigureAwait(false);
        }
    }
}
