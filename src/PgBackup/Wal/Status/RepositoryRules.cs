namespace PgBackup.Wal.Status;

/// <summary>What the repository holds, and whether it fits what the server says.</summary>
internal static class RepositoryRules
{
    // A receiver stores within seconds.
    private static readonly TimeSpan s_momentary = TimeSpan.FromSeconds(30);

    public static void Apply(WalArchiveFacts facts, WalArchiveThresholds thresholds, WalVerdict verdict)
    {
        ServerFacts server = facts.Server;
        if (facts.Repository is not { } repository)
        {
            verdict.Note("No repository was given: what has arrived there was not looked at.");
            return;
        }
        if (repository.Problem is not null)
        {
            verdict.Fail($"The repository cannot be asked what has arrived: {repository.Problem}");
            return;
        }
        bool isElsewhere = server.IsArchiving && repository.HoldsLastArchived == false;
        if (isElsewhere)
            verdict.Fail($"The server archived {server.Archiver.LastArchived}, but the repository '{repository.Location}' does not hold it: archive_command stores elsewhere, or the object was deleted. Compare archive_command with -Repository; where it stores nowhere, take a new backup.");
        if (repository.NewestProblem is { } problem)
            verdict.Fail($"The newest segment in the repository, {repository.Newest}, cannot be used: {problem} Run Test-PgWalArchive to see which others, and take a new backup.");
        if (repository.OldestBackupWithoutWal is { } backup)
            verdict.Warn($"The oldest backup, {backup}, cannot be recovered: the segment that it begins with is not in the repository. Run Test-PgWalArchive; remove the backup if the WAL was meant to go.");
        bool isFirst = server.SegmentSize.SegmentNumberOf(server.CurrentLsn) <= (server.Timeline == TimelineId.First ? 1 : repository.TimelineStart is { } start ? server.SegmentSize.SegmentNumberOf(start) : 0);
        if (server.IsArchiving && !server.IsStandby && !isElsewhere && repository.Arrived is null && server.Ready is { Count: 0 } && !isFirst)
            verdict.Warn($"The repository holds no segment of timeline {server.Timeline}, though the server has finished some, and none waits: they were not archived, or the first one is to come. Try it with -Probe; take a backup when archiving has begun.");
        if (!isElsewhere)
            JudgeLag(facts, thresholds, verdict);
    }

    private static void JudgeLag(WalArchiveFacts facts, WalArchiveThresholds thresholds, WalVerdict verdict)
    {
        if (facts.LagSegments is not { } lag)
            return;
        ServerFacts server = facts.Server;
        RepositoryFacts repository = facts.Repository!;
        WalSegmentName newest = repository.Arrived!.Value;
        string behind = $"the repository ends {(repository.Tail is null ? "with" : "within")} {newest}, {Spell.Count(lag, "segment")} behind the server";
        if (server.IsArchiving)
        {
            // archive_mode = always: the standby's log ends where its primary's does, but the archiver sees only what was replayed.
            if (lag > (server.Ready?.Count ?? thresholds.MaxBacklog) + 1 && !server.IsStandby)
                verdict.Warn($"Without files that wait {behind}: segments in between are missing. Run Test-PgWalArchive.");
        }
        else if (lag > thresholds.MaxBacklog && server.IsStandby)
        {
            verdict.Fail($"This standby does not archive, and {behind}. Run Get-PgWalArchiveStatus at the primary.");
        }
        else if (server.IsStandby)
        {
            if (facts.BeyondSince is { } late && server.Now - late > thresholds.MaxAge)
                verdict.Fail($"This standby does not archive, and {behind}: it has had more than the repository for {Spell.Span(server.Now - late)}. Run Get-PgWalArchiveStatus at the primary.");
        }
        else if (facts.Method != WalArchiveMethod.Streaming)
        {
            return;
        }
        else if (lag > thresholds.MaxBacklog)
        {
            verdict.Fail($"archive_mode is off, and {behind}: whoever is connected with a slot does not stream into this repository, or does not keep up. Look at Receivers, start Receive-PgWal, or run Enable-PgWalArchiving.");
        }
        else if (facts.BeyondSince is { } since && server.Now - since > s_momentary)
        {
            TimeSpan beyond = server.Now - since;
            string words = $"archive_mode is off, and the repository ends at {facts.End}, {new ByteSize(facts.Lag ?? 0)} behind the server, which has been beyond that for {Spell.Span(beyond)}: "
                + "the receiver does not run, or cannot store. Look at what Receive-PgWal writes and at Receivers.";
            // Nothing new for so long, and the server had more: not yet for so long, as far as it can be seen.
            if (beyond > thresholds.MaxAge)
                verdict.Fail(words);
            else if (repository.Tail is { } tail && server.Now - tail.Modified > thresholds.MaxAge)
                verdict.Warn(words);
        }
    }
}
