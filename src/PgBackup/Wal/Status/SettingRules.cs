namespace PgBackup.Wal.Status;

/// <summary>Settings that are wrong, or are traps.</summary>
internal static class SettingRules
{
    public static void Apply(WalArchiveFacts facts, WalVerdict verdict)
    {
        ServerFacts server = facts.Server;
        ServerSettings settings = server.Settings;
        if (server.IsArchiving)
            JudgeCommand(server, verdict);
        else if (facts.Method == WalArchiveMethod.None)
            JudgeOff(facts, verdict);
        else if (facts.Method == WalArchiveMethod.Streaming)
            JudgeStreaming(facts, verdict);
        if (settings.IsArchiving && settings.ArchiveTimeout == TimeSpan.Zero && !server.IsStandby)
            verdict.Note("archive_timeout is 0: in quiet hours a segment may wait for days before it is archived. ALTER SYSTEM SET archive_timeout = '60s', then SELECT pg_reload_conf().");
        foreach (string name in (ReadOnlySpan<string>)["wal_level", "archive_mode"])
        {
            if (settings.IsArchiving && settings[name] is { PendingRestart: true })
                verdict.Warn($"{name} was changed, and the server has not been restarted since.");
        }
    }

    private static void JudgeCommand(ServerFacts server, WalVerdict verdict)
    {
        string command = server.Settings.ValueOf("archive_command"), library = server.Settings.ValueOf("archive_library");
        if (library.Length > 0)
        {
            if (command.Length > 0 && server.MajorVersion >= 16)
                verdict.Fail($"archive_command and archive_library ('{library}') are both set: the server refuses to archive. Reset one of them: ALTER SYSTEM RESET archive_library, then SELECT pg_reload_conf().");
            else if (command.Length > 0)
                verdict.Warn($"archive_library is '{library}': archive_command is not used. ALTER SYSTEM RESET the one that is not meant, then SELECT pg_reload_conf().");
            return;
        }
        if (command.Length == 0)
            verdict.Fail("Neither archive_command nor archive_library is set: finished segments stay in pg_wal until its disk is full. Run Enable-PgWalArchiving.");
        else if (ArchiveCommandTrap.StoresNothing(command))
            verdict.Fail($"archive_command is '{command}': it stores nothing and says that all is well, and the server removes its WAL. Run Enable-PgWalArchiving, then Backup-PgCluster: no backup from before can be recovered beyond its end.");
        else if (ArchiveCommandTrap.HidesFailures(command))
            verdict.Warn("archive_command succeeds even where it fails (it ends with '|| true', '; exit 0' or '&'): the server then removes WAL that was not stored. Take that end away.");
        else if (ArchiveCommandTrap.NamesNoFile(command))
            verdict.Warn($"archive_command is '{command}': neither %p nor %f stands in it, so that it cannot know which file to archive. Run Enable-PgWalArchiving.");
    }

    // Of several slots that are in use none says whether it is the receiver's: a standby's hides that the receiver has died.
    private static void JudgeStreaming(WalArchiveFacts facts, WalVerdict verdict)
    {
        ServerFacts server = facts.Server;
        string none = "no receiver is connected whose application_name is its slot's name, as Receive-PgWal's is";
        foreach (WalSlotStatus slot in server.Slots.Where(s => s.IsPhysical && !s.IsActive && !s.IsLost))
        {
            if (server.HasMarkedReceiver == false)
                verdict.Fail($"archive_mode is off, nobody is connected with the slot '{slot.Name}', and {none}. Start the receiver again; drop the slot if nobody needs it: SELECT pg_drop_replication_slot('{slot.Name}').");
            else
                verdict.Warn($"archive_mode is off, and nobody is connected with the slot '{slot.Name}'. If it is the receiver's, start Receive-PgWal again; drop it if nobody needs it: SELECT pg_drop_replication_slot('{slot.Name}').");
        }
        if (facts.Repository?.Tail is not null && server.HasMarkedReceiver == false && !server.Slots.Any(s => s.IsPhysical && !s.IsActive && !s.IsLost))
            verdict.Fail($"archive_mode is off, the repository ends with what Receive-PgWal has stored, and {none}. Start it again.");
    }

    private static void JudgeOff(WalArchiveFacts facts, WalVerdict verdict)
    {
        ServerFacts server = facts.Server;
        if (server.IsStandby)
        {
            // The primary archives. Whether it does shows in the repository.
            if (facts.Repository is null)
                verdict.Off("This standby does not archive; its primary has to (a standby does with archive_mode = always only). Ask there, or give -Repository to see what has arrived.");
            else if (facts.Repository is { Arrived: null, Problem: null, TimelineStart: { } start }
                && server.SegmentSize.SegmentNumberOf(start) == server.SegmentSize.SegmentNumberOf(server.CurrentLsn))
                verdict.Warn($"The repository holds no segment of timeline {server.Timeline} yet, whose first one is not finished. Run Get-PgWalArchiveStatus at the primary, which has to archive (this is a standby).");
            else if (facts.Repository is { Arrived: null, Problem: null })
                verdict.Fail($"The repository holds no segment of timeline {server.Timeline}: the primary, which has to archive (this is a standby), does not. Run Get-PgWalArchiveStatus there.");
        }
        else if (server.Settings["archive_mode"] is { PendingRestart: true })
        {
            verdict.Off("archive_mode is off until the server is restarted.");
        }
        else if (facts.Repository?.Arrived is not null && server.Slots.FirstOrDefault(s => s.IsPhysical && !s.IsActive && !s.IsLost) is { } slot)
        {
            verdict.Fail($"archive_mode is off, and nobody is connected with the slot '{slot.Name}': no WAL reaches the repository. Start the receiver again, or run Enable-PgWalArchiving.");
        }
        else
        {
            verdict.Off("archive_mode is off: no WAL is archived. Run Enable-PgWalArchiving.");
        }
    }
}
