using System.Diagnostics;
using System.Globalization;
using PgBackup.Errors;
using PgBackup.Postgres.Files;
using PgBackup.Postgres.Server;

namespace PgBackup.Postgres.Summaries;

/// <summary>One WAL summary that the server keeps.</summary>
/// <param name="Timeline">Its timeline.</param>
/// <param name="Start">The first LSN that it speaks of.</param>
/// <param name="End">The first LSN after it.</param>
internal readonly record struct WalSummary(TimelineId Timeline, Lsn Start, Lsn End);

/// <summary>
/// Asks a server which blocks changed (PostgreSQL 17 and later with <c>summarize_wal</c>; documentation, "WAL Summarization"). A gap, a server that does not summarize, a role without the rights:
/// each is an answer, and the caller finds the changes in another way.
/// </summary>
internal static class WalSummaries
{
    /// <summary>The first version that has them.</summary>
    public const int FirstVersion = 17;

    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// The changes from <paramref name="start"/> to <paramref name="end"/> along a history; waits until the summarizer has come that far, and gives up when it has not moved
    /// for <paramref name="patience"/>. Without changes: the reason, as half a sentence.
    /// </summary>
    public static async Task<(BlockChanges? Changes, string? Reason)> TryReadAsync(
        ServerSession server, TimelineHistory history, Lsn start, Lsn end, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (server.MajorVersion < FirstVersion)
            return (null, $"PostgreSQL {server.MajorVersion} keeps no WAL summaries (17 and later do)");
        try
        {
            if (await server.ScalarAsync<string>("SELECT current_setting('summarize_wal')", cancellationToken).ConfigureAwait(false) != "on")
                return (null, "summarize_wal is off");
            if (!await MayReadAsync(server, cancellationToken).ConfigureAwait(false))
                return (null, "the role may not read WAL summaries");
            (List<WalSummary>? summaries, string? reason) = await WaitAsync(server, history, start, end, patience, cancellationToken).ConfigureAwait(false);
            if (summaries is null)
                return (null, reason);
            var changes = new BlockChanges();
            foreach (WalSummary summary in summaries)
                await ReadAsync(server, summary, changes, cancellationToken).ConfigureAwait(false);
            return (changes, null);
        }
        catch (PgBackupException error) when (error.Id == "ServerQueryFailed")
        {
            // The server removes summaries when they are old, and so may others.
            return (null, $"the WAL summaries cannot be read: {error.Message.TrimEnd('.')}");
        }
    }

    /// <summary>The summaries that cover the range without a gap; null when there is one, then from where.</summary>
    internal static (List<WalSummary>? Covering, Lsn Gap) Cover(IReadOnlyList<WalSummary> available, TimelineHistory history, Lsn start, Lsn end)
    {
        var covering = new List<WalSummary>();
        foreach (TimelineSpan span in history.Path)
        {
            Lsn from = span.Start > start ? span.Start : start;
            Lsn to = span.End is { } left && left < end ? left : end;
            if (from >= to)
                continue;
            foreach (WalSummary summary in available.Where(s => s.Timeline == span.Timeline && s.End > from && s.Start < to).OrderBy(static s => s.Start).ThenByDescending(static s => s.End))
            {
                if (summary.Start > from)
                    break;
                if (summary.End <= from)
                    continue; // Another reaches further.
                covering.Add(summary);
                from = summary.End;
                if (from >= to)
                    break;
            }
            if (from < to)
                return (null, from);
        }
        return (covering, end);
    }

    private static Task<bool> MayReadAsync(ServerSession server, CancellationToken cancellationToken) => server.ScalarAsync<bool>(
        """
        SELECT has_function_privilege('pg_available_wal_summaries()', 'EXECUTE') AND has_function_privilege('pg_wal_summary_contents(bigint, pg_lsn, pg_lsn)', 'EXECUTE')
            AND has_function_privilege('pg_get_wal_summarizer_state()', 'EXECUTE')
        """,
        cancellationToken);

    private static async Task<(List<WalSummary>? Covering, string? Reason)> WaitAsync(
        ServerSession server, TimelineHistory history, Lsn start, Lsn end, TimeSpan patience, CancellationToken cancellationToken)
    {
        var sinceMove = Stopwatch.StartNew();
        Lsn reached = Lsn.Zero;
        while (true)
        {
            // The state first: what it says is written by the time the list is asked for.
            (Lsn summarized, Lsn pending, bool isRunning) = await StateAsync(server, cancellationToken).ConfigureAwait(false);
            List<WalSummary> available = await server.QueryAsync(
                "SELECT tli, start_lsn::text, end_lsn::text FROM pg_available_wal_summaries()",
                static row => new WalSummary(new TimelineId((uint)row.GetInt64(0)), Lsn.Parse(row.GetString(1)), Lsn.Parse(row.GetString(2))),
                cancellationToken).ConfigureAwait(false);
            (List<WalSummary>? covering, Lsn gap) = Cover(available, history, start, end);
            if (covering is not null)
                return (covering, null);
            if (summarized >= end || gap < summarized)
                return (null, $"the WAL summaries have a gap at {gap}");
            Lsn now = pending > summarized ? pending : summarized;
            if (now > reached)
            {
                reached = now;
                sinceMove.Restart();
            }
            if (!isRunning && sinceMove.Elapsed > s_pause * 20)
                return (null, $"the WAL summarizer does not run; it has come to {summarized}");
            if (sinceMove.Elapsed > patience)
                return (null, $"the WAL summarizer has stood at {reached} for {patience.TotalSeconds:0} s, and {end} is needed");
            await Task.Delay(s_pause, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<(Lsn Summarized, Lsn Pending, bool IsRunning)> StateAsync(ServerSession server, CancellationToken cancellationToken) =>
        (await server.QueryAsync(
            "SELECT summarized_lsn::text, pending_lsn::text, summarizer_pid IS NOT NULL FROM pg_get_wal_summarizer_state()",
            static row => (Lsn.Parse(row.GetString(0)), Lsn.Parse(row.GetString(1)), row.GetBoolean(2)),
            cancellationToken).ConfigureAwait(false))[0];

    private static Task ReadAsync(ServerSession server, WalSummary summary, BlockChanges changes, CancellationToken cancellationToken)
    {
        // Main forks only: of the others the summaries know too little (a change of the visibility map is none of theirs).
        string sql = string.Create(
            CultureInfo.InvariantCulture,
            $"""
            SELECT reltablespace, reldatabase, relfilenode, relblocknumber, is_limit_block
            FROM pg_wal_summary_contents({summary.Timeline.Value}, '{summary.Start}', '{summary.End}') WHERE relforknumber = 0
            """);
        return server.ReadAsync(
            sql,
            row =>
            {
                changes.Add(row.GetFieldValue<uint>(0), row.GetFieldValue<uint>(1), row.GetFieldValue<uint>(2), row.GetInt64(3), row.GetBoolean(4));
                return Task.CompletedTask;
            },
            cancellationToken);
    }
}
