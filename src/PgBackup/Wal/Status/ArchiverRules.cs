namespace PgBackup.Wal.Status;

/// <summary>What the archiver's counters and the files that wait tell.</summary>
internal static class ArchiverRules
{
    private const string Log = "The server's log tells why: look for 'archive command failed' and the command's own line before it";

    public static void Apply(WalArchiveFacts facts, WalArchiveThresholds thresholds, WalVerdict verdict)
    {
        ServerFacts server = facts.Server;
        ArchiverFacts archiver = server.Archiver;
        if (server.IsFailing)
            verdict.Fail(Failing(server));
        else if (archiver.LastFailedTime is { } failed && server.Now - failed < thresholds.FailureWindow)
            verdict.Warn($"Archiving {archiver.LastFailed} failed {Spell.Span(server.Now - failed)} ago and works again. {Log}.");

        if (server.Ready is not { } ready)
        {
            verdict.Warn("The role may not see the files that wait to be archived: grant it pg_monitor.");
            return;
        }
        TimeSpan waits = ready.Oldest is { } oldest ? server.Now - oldest : TimeSpan.Zero;
        TimeSpan idle = server.Now - server.IdleSince ?? TimeSpan.Zero;
        if (idle > thresholds.MaxAge)
        {
            // With failures the reason stands above. Without any the command has not come back.
            verdict.Fail(server.IsFailing
                ? $"Nothing was archived for {Spell.Span(idle)}; {Spell.Count(ready.Count, "finished file")} wait in pg_wal."
                : $"Nothing was archived for {Spell.Span(idle)}, and no attempt failed; {Spell.Count(ready.Count, "finished file")} wait: archive_command hangs, or the archiver does not run. Look for the process 'archiver' of the server and what it started.");
        }
        else if (waits > thresholds.MaxAge)
        {
            verdict.Warn($"Archiving is behind: the oldest of {Spell.Count(ready.Count, "finished file")} has been waiting for {Spell.Span(waits)}.{Trend(facts)}");
        }
        else if (ready.Count > thresholds.MaxBacklog)
        {
            verdict.Warn($"Archiving is behind: {Spell.Count(ready.Count, "finished file")} wait.{Trend(facts)}");
        }
    }

    private static string Failing(ServerFacts server)
    {
        ArchiverFacts archiver = server.Archiver;
        string attempts = $"{Spell.Count(archiver.Failed, "failed attempt")} in all, the last {Spell.Span(server.Now - archiver.LastFailedTime!.Value)} ago, at {Spell.Time(archiver.LastFailedTime.Value)}";
        string what = server.Ready?.FailedSince is { } since
            ? $"Archiving is stuck at {archiver.LastFailed}, which has been waiting since {Spell.Time(since)} ({attempts})."
            : $"The last attempt to archive failed, for {archiver.LastFailed} ({attempts}).";
        string command = server.Settings.ValueOf("archive_command");
        return command.Contains("pgbackup-wal", StringComparison.Ordinal)
            ? $"{what} {Log}; or run 'pgbackup-wal check' as the server's account."
            : $"{what} {Log}; or run the command by hand as the server's account.";
    }

    private static string Trend(WalArchiveFacts facts) => facts.Growth switch
    {
        null => "",
        > 0 and var growth => $" They become more, by {new ByteSize(growth)} a second: archive_command is slower than the server writes.",
        _ => " They are becoming fewer.",
    };
}
