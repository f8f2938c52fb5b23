namespace PgBackup.Wal.Status;

/// <summary>Judges what was found of archiving.</summary>
internal sealed class WalArchiveFindings
{
    /// <summary>So many waiting files are a backlog and not the one that is just being archived.</summary>
    public const int ManyReady = 10;

    /// <summary>So long no file waits for a healthy archive_command.</summary>
    public static readonly TimeSpan LongWait = TimeSpan.FromMinutes(5);

    public required ServerSettings Settings { get; init; }

    public bool IsStandby { get; set; }

    public bool RepositoryIsMissing { get; set; }

    public bool LastArchivedIsMissing { get; set; }

    public WalArchiveStatus Judge(WalArchiveStatus status, DateTimeOffset now)
    {
        if (!Settings.IsArchiving)
            return status with { Status = WalArchiveHealth.Off, Reasons = [OffReason()] };
        List<string> failures = [], warnings = [];
        if (status.ArchiveCommand.Length == 0 && status.ArchiveLibrary.Length == 0)
            failures.Add("Neither archive_command nor archive_library is set: finished segments stay in pg_wal until its disk is full. Run Enable-PgWalArchiving.");
        if (RepositoryIsMissing)
            failures.Add("The repository does not exist.");
        if (LastArchivedIsMissing)
            failures.Add($"The server archived {status.LastArchivedWal}, but the repository does not hold it: archive_command stores elsewhere.");
        if (status.LastFailedTime is { } failed && !(status.LastArchivedTime > failed))
            failures.Add($"The last attempt failed: {status.LastFailedWal} at {failed:u}. The server's log holds what archive_command said.");
        if (status.ReadyCount >= ManyReady)
            warnings.Add($"{status.ReadyCount} finished files wait to be archived.");
        else if (now - status.OldestReadyTime > LongWait)
            warnings.Add($"A finished file has been waiting since {status.OldestReadyTime:u}.");
        if (status.ReadyCount is null)
            warnings.Add("The role may not see the files that wait; grant it pg_monitor.");
        if (status.LagSegments is { } lag && lag > (status.ReadyCount ?? 0) + 1 && !IsStandby)
            warnings.Add($"The repository is {lag} segments behind the server, more than wait to be archived.");
        if (status.ArchiveTimeout == TimeSpan.Zero)
            warnings.Add("archive_timeout is 0: in quiet hours a segment may wait for days before it is archived.");
        foreach (string name in (ReadOnlySpan<string>)["wal_level", "archive_mode"])
        {
            if (Settings[name] is { PendingRestart: true })
                warnings.Add($"{name} was changed, and the server has not been restarted since.");
        }
        return status with
        {
            Status = failures.Count > 0 ? WalArchiveHealth.Failure : warnings.Count > 0 ? WalArchiveHealth.Warning : WalArchiveHealth.Ok,
            Reasons = [.. failures, .. warnings],
        };
    }

    private string OffReason() => Settings["archive_mode"] is { PendingRestart: true }
        ? "archive_mode is off until the server is restarted."
        : "archive_mode is off: no WAL is archived. Run Enable-PgWalArchiving.";
}
