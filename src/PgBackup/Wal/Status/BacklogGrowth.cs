namespace PgBackup.Wal.Status;

/// <summary>
/// How fast what waits becomes more. Where nothing was archived since the oldest file began to wait, its age and the number of files tell, over a longer time than anybody wants
/// to look on. Else a second look is taken, and what the server wrote is held against what it archived (pg_stat_archiver): to the byte and to the segment.
/// </summary>
internal static class BacklogGrowth
{
    private static readonly TimeSpan s_longEnough = TimeSpan.FromSeconds(30);

    /// <summary>Bytes a second; null when nothing waits, or one look does not tell.</summary>
    public static long? FromOneLook(ServerFacts server)
    {
        if (!server.IsArchiving || !server.IsStandingStill)
            return null;
        TimeSpan waits = server.Now - server.Ready!.Oldest!.Value;
        return waits < s_longEnough ? null : (long)(server.Ready.Count * (double)server.SegmentSize.Bytes / waits.TotalSeconds);
    }

    /// <summary>Whether a second look has something to tell: files wait, or a slot that nobody uses holds back whatever is written.</summary>
    public static bool NeedsSecondLook(ServerFacts server) => (server.IsArchiving && server.Ready?.Count > 1) || HoldsBack(server);

    /// <summary>Bytes a second; null when the looks are not apart.</summary>
    public static long? FromTwoLooks(ServerFacts server, WalMoment first, WalMoment second)
    {
        double seconds = (second.Now - first.Now).TotalSeconds;
        if (seconds <= 0 || second.Lsn < first.Lsn || second.Archived < first.Archived)
            return null;
        long written = second.Lsn - first.Lsn;
        long archived = server.IsArchiving && !HoldsBack(server) ? (second.Archived - first.Archived) * server.SegmentSize.Bytes : 0;
        long growth = written - archived;
        // Archiving counts by whole segments: less than one either way is no growth.
        return Math.Abs(growth) < server.SegmentSize.Bytes && archived > 0 ? 0 : (long)(growth / seconds);
    }

    private static bool HoldsBack(ServerFacts server) =>
        server.Slots.Any(s => !s.IsActive && !s.IsLost && s.SafeSize is null && s.Lag is { } lag && lag.Bytes > 2L * server.SegmentSize.Bytes);
}
